// What pages do beyond HTML: dropping a file, labelling by key, and times in the reader's own zone.
"use strict";

document.documentElement.classList.add("js");

function localTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    const clock = "clock" in time.dataset;
    time.textContent = clock
      ? moment.toLocaleTimeString()
      : moment.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
    time.title = moment.toString();
  }
}

function dropZone(form) {
  const input = form.querySelector("input[type=file]");
  let depth = 0;
  const mark = (change) => {
    depth = Math.max(0, depth + change);
    form.classList.toggle("over", depth > 0);
  };
  form.addEventListener("dragenter", () => mark(1));
  form.addEventListener("dragleave", () => mark(-1));
  form.addEventListener("dragover", (event) => event.preventDefault());
  form.addEventListener("drop", (event) => {
    event.preventDefault();
    mark(-depth);
    if (event.dataTransfer.files.length) {
      input.files = event.dataTransfer.files;
      form.requestSubmit();
    }
  });
  input.addEventListener("change", () => input.files.length && form.requestSubmit());
  form.addEventListener("submit", () => {
    form.querySelector("button").disabled = true;
    form.classList.add("sending");
  });
  // Back in the browser's history: the form can be used again.
  window.addEventListener("pageshow", () => {
    form.querySelector("button").disabled = false;
    form.classList.remove("sending");
  });
}

// Labelling by key: a key presses the button that names it in aria-keyshortcuts.
let lastSaid = null;

function digitFor(withdraws) {
  const focused = document.activeElement?.closest("[data-digit]");
  const all = document.querySelectorAll("[data-digit]");
  return (
    focused ??
    (withdraws ? document.getElementById(lastSaid) : null) ??
    document.querySelector("[data-digit].unsaid:not(.saying)") ??
    (all.length === 1 ? all[0] : null)
  );
}

function pressByKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.target.closest("input, select, textarea, [contenteditable]")) return;
  if (event.key === "Enter" && event.target.closest("a, button, summary")) return;
  const digit = digitFor(["Backspace", "Delete"].includes(event.key));
  if (digit?.classList.contains("saying") || document.querySelector("#review .saying")) return;
  const naming = `[aria-keyshortcuts~="${CSS.escape(event.key)}"]`;
  const named = digit?.querySelector(naming) ?? document.querySelector(`.undo ${naming}`);
  if (named) {
    event.preventDefault();
    named.click();
  }
}

// What is being said of a digit is not its label yet, but the next key is for the next digit.
function saying(event) {
  const digit = event.target.closest("[data-digit]");
  if (!digit) return;
  digit.classList.add("saying");
  lastSaid = digit.id;
}

function saidNothing(event) {
  document.querySelectorAll(".saying").forEach((digit) => digit.classList.remove("saying"));
  const trouble = document.getElementById("trouble");
  if (event.detail.requestConfig?.verb !== "post" || !trouble) return;
  trouble.hidden = false;
  trouble.scrollIntoView({ block: "nearest" });
}

document.addEventListener("submit", saying);
// A result is not replaced before all that was said of its digits is saved; then it is fetched.
let resultWaits = false;

document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.target.id === "result" && event.target.querySelector(".saying")) {
    event.detail.shouldSwap = false;
    resultWaits = true;
  }
});
document.addEventListener("htmx:afterSettle", () => {
  if (!resultWaits || document.querySelector("#result .saying")) return;
  resultWaits = false;
  htmx.ajax("GET", location.pathname, { target: "#result", swap: "outerHTML" });
});
document.addEventListener("htmx:responseError", saidNothing);
document.addEventListener("htmx:sendError", saidNothing);

document.addEventListener("DOMContentLoaded", () => {
  localTimes(document);
  document.querySelectorAll("[data-drop]").forEach(dropZone);
  document.addEventListener("keydown", pressByKey); // not before htmx knows the buttons
});
document.addEventListener("htmx:load", (event) => localTimes(event.target));
