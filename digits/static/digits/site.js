// What every page does beyond HTML: times in the reader's own zone, messages that can be put away,
// and questions before what cannot be undone. No module, since those wait until all of the page is
// read: what this hides and rewrites would be painted first, and the page would jump.
"use strict";

document.documentElement.classList.add("js");

function localTime(time) {
  const moment = new Date(time.dateTime);
  const clock = "clock" in time.dataset;
  const text = clock
    ? moment.toLocaleTimeString()
    : moment.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  if (time.textContent === text) return;
  time.textContent = text;
  time.title = moment.toString();
}

// As soon as they are in the page, at its load or later: what is rewritten before it is painted
// moves nothing.
new MutationObserver((changes) => {
  for (const { target, addedNodes } of changes) {
    const around = target.closest?.("time[datetime]"); // its text may come after it
    if (around) localTime(around);
    for (const node of addedNodes) {
      if (node.matches?.("time[datetime]")) localTime(node);
      node.querySelectorAll?.("time[datetime]").forEach(localTime);
    }
  }
}).observe(document, { childList: true, subtree: true });

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-dismiss], [data-print], [data-close], [data-ask]");
  if (!button) return;
  if ("dismiss" in button.dataset) button.closest(".message").remove();
  if ("print" in button.dataset) window.print();
  if ("close" in button.dataset) button.closest("dialog").close();
  // A link to a page that asks, or the same question in a dialog on this one.
  const dialog = document.getElementById(button.dataset.ask);
  if (dialog?.showModal) {
    event.preventDefault();
    dialog.showModal();
  }
});

document.addEventListener("htmx:beforeRequest", (event) => {
  // What was said of the action before is no news after the next one.
  if (event.detail.requestConfig.verb !== "get") {
    document.querySelectorAll("#messages .message").forEach((message) => message.remove());
  }
});
