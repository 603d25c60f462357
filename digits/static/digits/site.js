// What pages do beyond HTML: dropping a file, and times in the reader's own zone.
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

document.addEventListener("DOMContentLoaded", () => {
  localTimes(document);
  document.querySelectorAll("[data-drop]").forEach(dropZone);
});
document.addEventListener("htmx:load", (event) => localTimes(event.target));
