// What every page does beyond HTML: times in the reader's own zone, messages that can be put away,
// and questions before what cannot be undone.
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
document.addEventListener("DOMContentLoaded", () => localTimes(document));
document.addEventListener("htmx:load", (event) => localTimes(event.target));
