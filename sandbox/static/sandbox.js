// Shows new posts without a reload, unless somebody is writing in the list.
const list = document.getElementById("list");
const busy = () => list.contains(document.activeElement) || list.querySelector("details[open]");
if (list.dataset.refresh) {
  setInterval(async () => {
    if (document.hidden || busy()) return;
    const answer = await fetch(list.dataset.refresh).catch(() => null);
    if (!answer || !answer.ok || busy()) return;
    const fresh = await answer.text();
    if (fresh !== list.dataset.shown) {
      list.innerHTML = fresh;
      list.dataset.shown = fresh;
    }
  }, 3000);
}
