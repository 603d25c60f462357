// Sending a bulk job: chosen or dropped, with its progress while it goes up.

import { takeDrops } from "./dropping.js";

const OUT_OF_REACH = "The site cannot be reached. Try once more in a moment.";
const bulkForm = document.querySelector("[data-bulk]");
const bulkFile = bulkForm.querySelector("input[type=file]");

function refuse(text) {
  const line = document.createElement("p");
  line.className = "error";
  line.setAttribute("role", "alert");
  line.textContent = text;
  document.getElementById("refused").replaceChildren(line);
}

function busy(isBusy) {
  bulkForm.querySelector(".sending").hidden = !isBusy;
  bulkFile.disabled = isBusy;
}

function sendBulk() {
  const sending = bulkForm.querySelector(".sending");
  const request = new XMLHttpRequest();
  request.open("POST", location.pathname);
  request.upload.addEventListener("progress", (event) => {
    const share = event.loaded / event.total;
    sending.querySelector("progress").value = share;
    sending.querySelector(".sending-state").textContent =
      share < 1 ? `${Math.round(share * 100)} % sent` : "Sent, being checked";
  });
  request.addEventListener("loadend", () => {
    bulkFile.value = ""; // the same file can be chosen again, and is not sent again by going back
    if (request.status === 200) return location.assign(request.responseURL);
    busy(false);
    const page = new DOMParser().parseFromString(request.responseText, "text/html");
    const why = page.querySelector("#refused p") ?? page.querySelector("main h1 + p");
    refuse(request.status === 413 ? "That is too large." : why?.textContent ?? OUT_OF_REACH);
  });
  document.getElementById("refused").replaceChildren();
  request.send(new FormData(bulkForm));
  busy(true);
}

takeDrops(bulkForm, (files) => {
  if (bulkFile.disabled) return; // others are being sent
  bulkFile.files = files;
  sendBulk();
});
const sendChosen = () => bulkFile.files.length && sendBulk();
bulkFile.addEventListener("change", sendChosen);
sendChosen(); // it was chosen before this script came
