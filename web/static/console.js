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
    var it = (card() && find(selector, card())) || find(selector);
    if (!it) { return false; }
    var box = it.closest("details");
    if (box) { box.open = true; }
    if (/^(TEXTAREA|SELECT|INPUT)$/.test(it.tagName)) { it.focus(); return true; }
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
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || writing(target) || !keysAreOn()) { return; }
    if (document.querySelector("dialog[open]") && event.key !== "?") { return; }
    var done = event.key === "?" ? help() : event.key === "j" ? step(1) : event.key === "k" ? step(-1) :
      /^[a-z/]$/.test(event.key) ? use(event.key) : false;
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
  }
  window.setInterval(count, 500);

  // Polls rest while nobody looks, and never while a card with the reader's focus would be torn away.
  document.addEventListener("htmx:beforeRequest", function (event) {
    var source = event.detail.elt;
    if (source.hasAttribute("data-poll") && event.detail.requestConfig.verb === "get" && document.hidden) {
      event.preventDefault();
    }
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
  document.addEventListener("htmx:afterSettle", function () { count(); announce(); });
  document.addEventListener("DOMContentLoaded", function () {
    document.querySelectorAll("[data-open][hidden]").forEach(function (one) { one.hidden = false; });
    var box = document.getElementById("hk-keys-on");
    if (box) { box.checked = keysAreOn(); }
    count();
    announce();
  });
})();
