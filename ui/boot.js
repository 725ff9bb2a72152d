// Runs before the first paint: sets the theme, then starts the app as soon as its two files are there.
// `cargo xtask ui` replaces __UI_JS__ and __UI_WASM__ by hashed names.
(function () {
  "use strict";
  var theme = null;
  try { theme = localStorage.getItem("spyhop.theme"); } catch (_) { /* storage is forbidden: default */ }
  document.documentElement.dataset.theme = theme === "light" ? "light" : "dark";
  var glue = import("/__UI_JS__");
  var wasm = fetch("/__UI_WASM__");
  function say(text) {
    var note = document.getElementById("boot-note");
    if (note) { note.textContent = text; }
  }
  function start() {
    glue.then(function (ui) { return ui.default({ module_or_path: wasm }); }).catch(function (error) {
      console.error(error);
      say("Spyhop's pages could not start: " + error + ". Reload, or try a current browser.");
    });
  }
  if (document.readyState === "loading") { document.addEventListener("DOMContentLoaded", start); } else { start(); }
})();
