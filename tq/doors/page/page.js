// What textual.js leaves to the page: where the terminal is served, and that keys go to it without a click.
"use strict";

// Deferred, so this runs before textual.js starts at "load" and looks for the address.
const place = document.querySelector(".textual-terminal");
place.dataset.sessionWebsocketUrl = window.location.origin.replace(/^http/, "ws") + "/ws";

// textual.js fetches whatever address ?ping= names, and waits for a click after ?delay=.
if (window.location.search) {
  window.history.replaceState(null, "", "/");
}

function focusTerminal() {
  const field = document.querySelector(".xterm-helper-textarea");
  if (field && !document.body.classList.contains("-closed")) {
    field.focus();
  }
}

function follow() {
  if (document.body.classList.contains("-closed")) {
    document.querySelector("#again").focus();
  } else {
    focusTerminal();
  }
}

new MutationObserver(follow).observe(document.body, { attributes: true, attributeFilter: ["class"] });
window.addEventListener("load", focusTerminal);
window.addEventListener("focus", focusTerminal);
document.addEventListener("click", focusTerminal);
document.querySelector("#again").addEventListener("click", () => window.location.replace("/"));
