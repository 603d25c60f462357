// Sending images from the start page: chosen, dropped, pasted, photographed or drawn. The readings
// appear on the page: one in the panel, each of several as a tile.

import { takeDrops } from "./dropping.js";

const AT_ONCE = 3;
const WAIT = 2; // seconds that the server may hold its answer until there is a reading
const FAILED = {
  0: "The site cannot be reached. Try once more in a moment.",
  403: "The page is too old. Load it again, then send once more.",
  drawing: "The site refuses it. It stays on the board, and is sent again with the next stroke.",
  413: "The file is too large.",
  429: "Too much was sent from here. Try once more in a minute.",
  503: "The site is busy. Try once more in a moment.",
  507: "The disk of this site is full. Tell whoever looks after it.",
};

const sendForm = document.querySelector("[data-drop]");

// Send one image; resolves to the answer's HTML, which says why where it was refused, and whether
// that is because this page is too old. Whoever signed in in another tab has another CSRF token
// since then: the image is sent once more with that of the page as it is now.
export async function sendImage(file, fields, onProgress) {
  let answer = await post(file, fields, onProgress);
  if (answer.isTooOld && (await renewToken())) answer = await post(file, fields, onProgress);
  return answer;
}

async function renewToken() {
  try {
    const answer = await fetch(location.pathname, { cache: "no-store" });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const token = page.querySelector("[name=csrfmiddlewaretoken]").value;
    for (const field of document.querySelectorAll("[name=csrfmiddlewaretoken]")) {
      field.value = token;
    }
    return true;
  } catch {
    return false;
  }
}

function post(file, fields, onProgress) {
  const data = new FormData();
  data.append("file", file, file.name);
  for (const [name, value] of Object.entries(fields)) data.append(name, value);
  const request = new XMLHttpRequest();
  request.open("POST", `${location.pathname}?wait=${WAIT}`);
  request.setRequestHeader("HX-Request", "true");
  request.setRequestHeader("X-CSRFToken", sendForm.elements.csrfmiddlewaretoken.value);
  if (onProgress) {
    request.upload.addEventListener("progress", (event) => onProgress(event.loaded / event.total));
  }
  return new Promise((resolve) => {
    request.addEventListener("loadend", () => {
      const { status, responseText } = request;
      const answered = [200, 400].includes(status) && !responseText.startsWith("<!doctype");
      const isTooOld = status === 403;
      const reason = isTooOld && fields.source === "drawing" ? "drawing" : status;
      resolve({ html: answered ? responseText : refusal(file.name, reason), isTooOld });
    });
    request.send(data);
  });
}

function refusal(name, status) {
  const line = document.createElement("p");
  line.className = "error";
  line.setAttribute("role", "alert");
  const reason = FAILED[status] ?? "The site could not take it. Try once more in a moment.";
  line.textContent = name ? `${name}: ${reason}` : reason;
  return line.outerHTML;
}

export function show(place, html) {
  place.innerHTML = html;
  htmx.process(place);
}

// What is shown of a file while it goes up.
function progressIn(place, name) {
  place.replaceChildren(document.getElementById("sending").content.cloneNode(true));
  const state = place.querySelector(".sending-state");
  place.querySelector(".sending-name").textContent = name;
  return (share) => {
    place.querySelector("progress").value = share;
    state.textContent = share < 1 ? `${Math.round(share * 100)} % sent` : "Sent, being read";
  };
}

async function sendFile(file, place, part) {
  const limit = Number(sendForm.dataset.maxBytes);
  if (file.size > limit) return show(place, refusal(file.name, 413));
  const { html } = await sendImage(file, { part }, progressIn(place, file.name));
  show(place, html);
}

async function sendFiles(files) {
  document.getElementById("refused").replaceChildren();
  if (files.length === 1) {
    const place = document.getElementById("reading");
    place.scrollIntoView({ block: "nearest" });
    return sendFile(files[0], place, "panel");
  }
  const list = document.getElementById("sent");
  document.getElementById("latest-section").hidden = false;
  const waiting = Array.from(files, (file) => {
    const place = document.createElement("li");
    progressIn(place, file.name);
    return [file, place];
  });
  list.prepend(...waiting.map(([, place]) => place));
  list.scrollIntoView({ block: "nearest" });
  const next = async () => {
    for (let one; (one = waiting.shift()); ) await sendFile(...one, "tile");
  };
  // The first goes alone: its answer may begin the session that the others belong to.
  await sendFile(...waiting.shift(), "tile");
  await Promise.all(Array.from({ length: AT_ONCE }, next));
}

function sendChosen(input) {
  const files = Array.from(input.files);
  input.value = ""; // the same file can be chosen again
  if (files.length) sendFiles(files);
}

function takeFrom(input) {
  input.addEventListener("change", () => sendChosen(input));
  // What was chosen before the scripts came is sent when all of them are there.
  document.addEventListener("DOMContentLoaded", () => sendChosen(input));
}

function takePastes() {
  document.addEventListener("paste", (event) => {
    const files = Array.from(event.clipboardData?.files ?? []);
    if (!files.length || event.target.closest?.("input:not([type=file]), textarea")) return;
    event.preventDefault();
    sendFiles(files);
  });
}

// A reading that appears is announced to those who do not see it.
function announceReading() {
  const said = document.getElementById("said");
  const look = () => {
    const text = document.querySelector("#reading [data-said]")?.dataset.said;
    if (text && text !== said.textContent) said.textContent = text;
  };
  new MutationObserver(look).observe(document.getElementById("reading"), { childList: true });
  document.addEventListener("htmx:afterSwap", look);
}

takeDrops(sendForm, (files) => sendFiles(Array.from(files)));
takePastes();
announceReading();
sendForm.querySelectorAll("input[type=file]").forEach(takeFrom);
