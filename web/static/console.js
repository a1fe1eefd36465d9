// Keyboard shortcuts, the countdown of an undo, and typed text that survives. The console works without this file.
(function () {
  "use strict";
  var STORE = "hk-keys-off";

  function find(selector, inside) {
    var all = (inside || document).querySelectorAll(selector);
    for (var i = 0; i < all.length; i++) {
      if (all[i].getClientRects().length || closedDetails(all[i])) { return all[i]; }
    }
    return null;
  }
  function closedDetails(element) {
    var box = element.closest("details");
    return box && !box.open;
  }
  function say(text) {
    var place = document.getElementById("hk-said");
    if (place) { place.textContent = text; }
  }
  function keysAreOn() {
    try { return window.localStorage.getItem(STORE) !== "yes"; } catch (e) { return true; }
  }
  function writing(target) {
    return target.isContentEditable || /^(TEXTAREA|SELECT)$/.test(target.tagName) ||
      (target.tagName === "INPUT" && !/^(checkbox|radio|button|submit)$/.test(target.type));
  }
  function card() {
    var here = document.activeElement && document.activeElement.closest("[data-card]");
    return here || null;
  }
  function use(key) {
    var selector = '[data-key="' + key + '"]';
    var here = card() && find(selector, card());
    // A fresh decision, taken on another page, is undone before an old one of this page.
    var it = here || (key === "u" && find("#undo " + selector)) || find(selector);
    if (!it) { return false; }
    var box = it.closest("details");
    if (box) { box.open = true; }
    if (/^(TEXTAREA|SELECT|INPUT)$/.test(it.tagName)) { it.focus(); return true; }
    if (it.hasAttribute("data-step")) { stepAfter(it); }
    if (it.hasAttribute("data-twice") && document.activeElement !== it) {
      it.focus();
      it.scrollIntoView({ block: "nearest" });
      say(it.textContent.trim() + ": press " + key + " again to confirm");
      return true;
    }
    it.click();
    return true;
  }
  function step(by) {
    var rows = Array.prototype.slice.call(document.querySelectorAll("[data-row]"));
    if (!rows.length) { return false; }
    var at = rows.indexOf(document.activeElement);
    var next = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + by))];
    next.focus();
    return true;
  }
  // After a decision on a line of a list, the focus goes to the line that takes its place.
  var lineAt = -1;
  function stepAfter(button) {
    var rows = Array.prototype.slice.call(document.querySelectorAll("[data-row]"));
    lineAt = rows.indexOf(button.closest("[data-card]").querySelector("[data-row]"));
  }
  function landOnLine() {
    var rows = document.querySelectorAll("[data-row]");
    if (lineAt >= 0 && rows.length) { rows[Math.min(lineAt, rows.length - 1)].focus(); }
    lineAt = -1;
  }
  function help() {
    var dialog = document.getElementById("hk-help");
    if (!dialog) { return false; }
    if (dialog.open) { dialog.close(); } else { dialog.showModal(); }
    return true;
  }

  document.addEventListener("keydown", function (event) {
    if (event.isComposing || event.defaultPrevented) { return; }
    var target = event.target;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && target.matches("[data-approves]")) {
      var button = target.form.querySelector("[data-approve]");
      if (button) { event.preventDefault(); button.click(); }
      return;
    }
    if (event.key === "Enter" && target.hasAttribute("data-enter")) {
      event.preventDefault();
      document.getElementById(target.getAttribute("data-enter")).click();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || writing(target) || !keysAreOn()) { return; }
    if (document.querySelector("dialog[open]") && event.key !== "?") { return; }
    var done = event.key === "?" ? help() : event.key === "j" ? step(1) : event.key === "k" ? step(-1) :
      /^[a-z0-9/]$/.test(event.key) ? use(event.key) : false;
    if (done) { event.preventDefault(); }
  });

  document.addEventListener("click", function (event) {
    var opener = event.target.closest("[data-open]"), closer = event.target.closest("[data-close]");
    if (opener) { document.getElementById(opener.getAttribute("data-open")).showModal(); }
    if (closer) { document.getElementById(closer.getAttribute("data-close")).close(); }
  });
  document.addEventListener("change", function (event) {
    if (event.target.id !== "hk-keys-on") { return; }
    try { window.localStorage.setItem(STORE, event.target.checked ? "no" : "yes"); } catch (e) { /* kept for this page only */ }
  });

  // The countdown is for the eye; the exact time stands in the page, and Retract remains afterwards.
  function count() {
    document.querySelectorAll("[data-until]").forEach(function (one) {
      var left = Math.ceil((Date.parse(one.getAttribute("data-until")) - Date.now()) / 1000);
      one.textContent = left > 0 ? "It goes out in " + left + " s." : "It goes out now.";
    });
    document.querySelectorAll("#undo [data-gone]").forEach(function (one) {
      if (Date.parse(one.getAttribute("data-gone")) < Date.now() && !one.contains(document.activeElement)) { one.remove(); }
    });
  }
  window.setInterval(count, 500);

  // Polls rest while nobody looks.
  document.addEventListener("htmx:beforeRequest", function (event) {
    var source = event.detail.elt;
    if (source.hasAttribute("data-poll") && event.detail.requestConfig.verb === "get" && document.hidden) {
      event.preventDefault();
    }
  });

  // The desk is live: each piece that reads otherwise than before is put in place, but a piece that somebody is
  // working in stays as it is, with a notice and a button.
  var waiting = {};
  function typed(piece) {
    return Array.prototype.filter.call(piece.querySelectorAll("input, textarea, select"), function (one) {
      if (one.type === "hidden") { return false; }
      if (one.tagName === "SELECT") {
        var first = one.querySelector("option[selected]") || one.options[0];
        return first && !first.selected;
      }
      return /^(checkbox|radio)$/.test(one.type) ? one.checked !== one.defaultChecked : one.value !== one.defaultValue;
    });
  }
  function worked(piece) {
    var at = document.activeElement;
    var inside = at && piece.contains(at) && at !== piece;
    return typed(piece).length > 0 || (inside && (writing(at) || at.hasAttribute("data-twice")));
  }
  function put(fresh, old) {
    var at = document.activeElement, inside = old.contains(at), id = inside ? at.id : "";
    var open = Array.prototype.map.call(old.querySelectorAll("details"), function (one) { return one.open && one.firstElementChild.textContent; });
    fresh.querySelectorAll("details").forEach(function (one) {
      if (open.indexOf(one.firstElementChild.textContent) >= 0) { one.open = true; }
    });
    fresh.querySelectorAll("[autofocus]").forEach(function (one) { one.removeAttribute("autofocus"); });
    old.replaceWith(fresh);
    delete waiting[fresh.id];
    window.htmx.process(fresh);
    if (!inside) { return; }
    var again = (id && document.getElementById(id)) || (at.getAttribute("data-key") === "n" && document.getElementById("next")) || fresh;
    again.focus({ preventScroll: true });
  }
  function tell(piece) {
    if (piece.querySelector(".hk-changed")) { return; }
    var box = document.createElement("div"), text = document.createElement("p"), button = document.createElement("button");
    box.className = "usa-alert usa-alert--warning usa-alert--slim hk-changed";
    box.setAttribute("role", "status");
    text.textContent = "The conversation changed. What you typed here is kept. ";
    button.type = "button";
    button.className = "usa-button usa-button--outline";
    button.textContent = "Show what is new";
    button.addEventListener("click", function () { show(piece); });
    text.appendChild(button);
    box.appendChild(text);
    var head = piece.querySelector("header, h2");
    head.parentNode.insertBefore(box, head.nextSibling);
    say("The conversation changed.");
  }
  function show(piece) {
    var fresh = waiting[piece.id];
    if (!fresh) { return; }
    typed(piece).forEach(function (one) {
      if (one.tagName !== "TEXTAREA" || !one.value.trim()) { return; }
      var box = document.createElement("div"), title = document.createElement("strong"), words = document.createElement("p");
      box.className = "hk-box";
      title.textContent = "What you typed before";
      words.className = "hk-words";
      words.textContent = one.value;
      box.append(title, words);
      var same = fresh.querySelector("#" + one.id);
      if (same) { same.insertAdjacentElement("afterend", box); } else { fresh.appendChild(box); }
    });
    put(fresh, piece);
    fresh.setAttribute("tabindex", "-1");
    fresh.focus({ preventScroll: true });
  }
  function refresh(text) {
    var came = new DOMParser().parseFromString(text, "text/html");
    var cards = document.getElementById("cards"), changed = 0, last = null;
    came.querySelectorAll("[data-live]").forEach(function (one) {
      var fresh = document.importNode(one, true), old = document.getElementById(fresh.id);
      if (!old && cards && fresh.hasAttribute("data-card")) {
        if (last) { last.after(fresh); } else { cards.prepend(fresh); }
        window.htmx.process(fresh);
        changed += 1;
      } else if (old && old.dataset.mark !== fresh.dataset.mark) {
        changed += fresh.id === "news" ? 0 : 1;
        if (worked(old)) { waiting[old.id] = fresh; tell(old); } else { put(fresh, old); }
      }
      if (one.hasAttribute("data-card")) { last = document.getElementById(fresh.id); }
    });
    document.querySelectorAll("#cards > [data-card]").forEach(function (one) {
      if (!came.getElementById(one.id)) { one.remove(); }
    });
    if (changed) { say("The conversation changed."); }
    count();
  }
  document.addEventListener("htmx:beforeSwap", function (event) {
    var source = event.detail.elt;
    if (source.id !== "news" || event.detail.xhr.status !== 200) { return; }
    event.detail.shouldSwap = false;
    refresh(event.detail.xhr.responseText);
  });

  // A list that is not live any more must not look as if it were.
  var missed = 0;
  function live(event, ok) {
    if (!event.detail.elt || !event.detail.elt.hasAttribute("data-poll")) { return; }
    missed = ok ? 0 : missed + 1;
    var box = document.getElementById("hk-still"), main = document.getElementById("main");
    if (missed < 2 && box) { box.remove(); }
    if (missed < 2 || box) { return; }
    box = document.createElement("p");
    box.id = "hk-still";
    box.className = "hk-still";
    box.setAttribute("role", "alert");
    box.textContent = "This page is not up to date: the server does not answer. It is tried again every few seconds.";
    main.insertBefore(box, main.firstChild);
  }
  document.addEventListener("htmx:afterRequest", function (event) {
    live(event, Boolean(event.detail.xhr && event.detail.xhr.status && event.detail.xhr.status < 500));
  });
  function failed(event) {
    if (event.detail.elt && event.detail.elt.hasAttribute("data-poll")) { return; }
    var status = event.detail.xhr ? event.detail.xhr.status : 0;
    if (status && status < 500) { return; }
    var main = document.getElementById("main"), old = document.getElementById("hk-lost");
    if (old) { old.remove(); }
    var box = document.createElement("div");
    box.id = "hk-lost";
    box.className = "usa-alert usa-alert--error";
    box.setAttribute("role", "alert");
    var body = document.createElement("div"), text = document.createElement("p");
    body.className = "usa-alert__body";
    text.className = "usa-alert__text";
    text.textContent = "This could not be done just now. What you typed is still here; try again in a moment.";
    body.appendChild(text);
    box.appendChild(body);
    main.insertBefore(box, main.firstChild);
    window.scrollTo(0, 0);
  }
  document.addEventListener("htmx:responseError", failed);
  document.addEventListener("htmx:sendError", failed);

  // The list is replaced as a whole, and a live region that is replaced says nothing: this one stays.
  var counts = "";
  function announce() {
    var place = document.getElementById("inbox-counts");
    var text = place ? place.textContent.replace(/\s+/g, " ").trim() : "";
    if (text && counts && text !== counts) { say(text); }
    counts = text;
  }
  document.addEventListener("htmx:afterSettle", function () { count(); announce(); landOnLine(); });
  document.addEventListener("DOMContentLoaded", function () {
    document.querySelectorAll("[data-open][hidden]").forEach(function (one) { one.hidden = false; });
    var box = document.getElementById("hk-keys-on");
    if (box) { box.checked = keysAreOn(); }
    count();
    announce();
  });
})();
