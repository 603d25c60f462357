// The history: what an empty filter says is left out of the address, and all of a page is marked.

function leaveOutWhatIsEmpty(event) {
  const form = event.target.closest("[data-find]");
  if (!form) return;
  const dates = form.querySelectorAll("input[type=date]");
  const zone = form.querySelector("[data-zone]");
  const isByDay = [...dates].some((date) => date.value);
  zone.value = isByDay ? Intl.DateTimeFormat().resolvedOptions().timeZone : "";
  for (const field of form.elements) field.disabled = field.name !== "" && !field.value;
  // Back in the browser's history the form can be used again.
  setTimeout(() => [...form.elements].forEach((field) => (field.disabled = false)));
}

function markAll(event) {
  if (!("markAll" in event.target.dataset)) return;
  for (const box of document.querySelectorAll("input[name=upload]")) {
    box.checked = event.target.checked;
  }
}

document.addEventListener("submit", leaveOutWhatIsEmpty);
document.addEventListener("change", markAll);
