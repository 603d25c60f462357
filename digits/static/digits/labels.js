// Labelling digits by click and by key: on a result, in the review, and beside a drawing.

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
  document.addEventListener("keydown", pressByKey); // not before htmx knows the buttons
});
