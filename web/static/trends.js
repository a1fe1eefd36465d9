// Draws each chart from the table of the same section, so that both say the same and nothing is sent twice.
"use strict";

(() => {
  // Colours of 4.5 or more on white, and a pattern each: trends.css has the same for the samples beside the names.
  const COLOURS = ["#005ea2", "#b50909", "#1b1b1b", "#8c471c", "#54278f", "#00687d", "#565c65"];
  const DASHES = [[], [9, 4], [2, 4], [10, 4, 2, 4], [5, 3], [16, 4], [3, 3]];
  const INK = "#3d4551";
  const FONT = "14px 'Source Sans Pro Web', sans-serif";
  const SMALL_STEPS = [0.05, 0.1, 0.2, 0.5, 1, 2, 5];
  const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000];

  const number = (cell) => {
    const text = cell.textContent.trim().replace("−", "-");
    return text === "" || Number.isNaN(Number(text)) ? null : Number(text);
  };

  const read = (table, of) => {
    const rows = [...table.tBodies[0].rows];
    const labels = rows.map((row) => row.cells[0].textContent.trim());
    const last = rows[0].cells.length - 1;
    const columns = of === "mean" ? [last] : [...Array(last - 1).keys()].map((place) => place + 1);
    return { labels, lines: columns.map((place) => rows.map((row) => number(row.cells[place]))) };
  };

  // The smallest top of the axis: a share of 1 percent, or an index of 0.01, must not look like a mountain.
  const top = (of) => (of === "index" ? 0.3 : 4);

  const options = (figure, data, of, width) => ({
    width,
    height: of === "mean" ? 160 : 240,
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { size: 7 } },
    scales: {
      x: { time: false },
      y: { range: of === "mean" ? [-1, 1] : (_plot, _least, most) => [0, Math.max(most * 1.05, top(of))] },
    },
    axes: [
      {
        stroke: INK, font: FONT, incrs: STEPS, space: width < 400 ? 60 : 110, grid: { show: false },
        values: (_plot, places) => places.map((place) => data.labels[place] ?? ""),
      },
      { stroke: INK, font: FONT, incrs: of === "mean" ? [0.5, 1] : of === "index" ? SMALL_STEPS : STEPS, size: 56, grid: { stroke: "#dfe1e2" } },
    ],
    series: [{}, ...figure.dataset.styles.split(" ").slice(0, data.lines.length).map((style) => ({
      stroke: COLOURS[style], dash: DASHES[style], width: 2, spanGaps: false,
      points: { show: data.labels.length < 40, size: 5, fill: COLOURS[style] },
    }))],
    hooks: { setCursor: [(plot) => tell(figure, data, plot.cursor.idx)] },
  });

  // What the pointer is over, beside each name; a screen reader has the table.
  const tell = (figure, data, place) => {
    for (const value of figure.querySelectorAll("[data-line]")) {
      const count = place == null ? null : data.lines[Number(value.dataset.line)][place];
      value.textContent = count == null ? "" : `${count} (${data.labels[place]})`;
    }
  };

  const draw = (figure) => {
    const table = document.getElementById(figure.dataset.chart);
    if (!table || !table.tBodies[0].rows.length) return;
    const data = read(table, figure.dataset.of);
    const box = figure.querySelector(".hk-chart__plot");
    figure.hidden = false;
    const places = data.labels.map((_label, place) => place);
    const plot = new uPlot(options(figure, data, figure.dataset.of, box.clientWidth), [places, ...data.lines], box);
    new ResizeObserver(() => {
      if (box.clientWidth && box.clientWidth !== plot.width) plot.setSize({ width: box.clientWidth, height: plot.height });
    }).observe(box);
  };

  for (const figure of document.querySelectorAll("[data-chart]")) draw(figure);
})();
