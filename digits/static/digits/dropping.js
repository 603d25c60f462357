// Files that are dropped anywhere on a page; what they are for is marked while they hover.

const bringsFiles = (event) => event.dataTransfer?.types.includes("Files");

// Have the files of each drop handed to a function; the element has the class "over" until then.
export function takeDrops(element, onFiles) {
  let depth = 0; // each element that is entered is left again, within others or after them
  const enter = (change) => {
    depth = Math.max(0, depth + change);
    element.classList.toggle("over", depth > 0);
  };
  const listen = (name, act) =>
    document.addEventListener(name, (event) => bringsFiles(event) && act(event));
  listen("dragenter", () => enter(1));
  listen("dragleave", () => enter(-1));
  listen("dragover", (event) => event.preventDefault());
  listen("drop", (event) => {
    event.preventDefault();
    enter(-depth);
    if (event.dataTransfer.files.length) onFiles(event.dataTransfer.files);
  });
}
