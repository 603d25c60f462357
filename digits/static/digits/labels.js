// Labelling digits by click and by key: on a result, in the review, and beside a drawing.

// Labelling by key: a key presses the button that names it in aria-keyshortcuts.
let lastLabelled = null;

function digitFor(withdraws) {
  const focused = document.activeElement?.closest("[data-digit]");
  const all = document.querySelectorAll("[data-digit]");
  return (
    focused ??
    (withdraws ? document.getElementById(lastLabelled) : null) ??
    document.querySelector("[data-digit].unlabelled:not(.pending)") ??
    (all.length === 1 ? all[0] : null)
  );
}

function pressByKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.target.closest("input, select, textarea, [contenteditable]")) return;
  if (event.key === "Enter" && event.target.closest("a, button, summary")) return;
  const digit = digitFor(["Backspace", "Delete"].includes(event.key));
  if (digit?.classList.contains("pending") || document.querySelector("#review .pending")) return;
  const naming = `[aria-keyshortcuts~="${CSS.escape(event.key)}"]`;
  const named = digit?.querySelector(naming) ?? document.querySelector(`.undo ${naming}`);
  if (named) {
    event.preventDefault();
    named.click();
  }
}

// A label that is being sent is not saved yet, but the next key is for the next digit.
function markPending(event) {
  const digit = event.target.closest("[data-digit]");
  if (!digit) return;
  digit.classList.add("pending");
  lastLabelled = digit.id;
}

function reportFailure(event) {
  document.querySelectorAll(".pending").forEach((digit) => digit.classList.remove("pending"));
  const trouble = document.getElementById("trouble");
  if (event.detail.requestConfig?.verb !== "post" || !trouble) return;
  trouble.hidden = false;
  trouble.scrollIntoView({ block: "nearest" });
}

document.addEventListener("submit", markPending);
// A result is not replaced before all labels of its digits are saved; then it is fetched.
let resultWaits = false;

document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.target.id === "result" && event.target.querySelector(".pending")) {
    event.detail.shouldSwap = false;
    resultWaits = true;
  }
});
document.addEventListener("htmx:afterSettle", () => {
  if (!resultWaits || document.querySelector("#result .pending")) return;
  resultWaits = false;
  htmx.ajax("GET", location.pathname, { target: "#result", swap: "outerHTML" });
});
document.addEventListener("htmx:responseError", reportFailure);
document.addEventListener("htmx:sendError", reportFailure);

document.addEventListener("DOMContentLoaded", () => {
  document.addEventListener("keydown", pressByKey); // not before htmx knows the buttons
});
