// The drawing area of the start page. Strokes are kept as points, so that they can be undone, and
// are drawn in the page's colours but sent as black ink on white.

import { sendImage, show } from "./sending.js";

const READ_AFTER = 300; // milliseconds after the pen was lifted
const UNITS = 640; // the drawing area's width in the units of its points

class Drawing {
  constructor(section) {
    this.canvas = section.querySelector("canvas");
    this.hint = section.querySelector(".board-hint");
    this.buttons = section.querySelectorAll("[data-undo], [data-clear]");
    this.section = section;
    this.strokes = [];
    this.sent = ""; // the number of the upload that this drawing is so far
    this.sending = null;
    this.drawn = 0; // how many drawings were begun before
    this.reading = document.getElementById("reading");
    this.empty = this.reading.cloneNode(true);
    this.fit();
    this.listen();
  }

  get height() {
    return (UNITS * this.canvas.height) / this.canvas.width;
  }

  fit() {
    const { clientWidth, clientHeight } = this.canvas;
    if (!clientWidth) return;
    const sharp = Math.min(window.devicePixelRatio || 1, 3);
    this.canvas.width = Math.round(clientWidth * sharp);
    this.canvas.height = Math.round(clientHeight * sharp);
    this.paint();
  }

  listen() {
    const canvas = this.canvas;
    canvas.addEventListener("pointerdown", (event) => this.begin(event));
    canvas.addEventListener("pointermove", (event) => this.draw(event));
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, (event) => this.end(event));
    }
    this.section.querySelector("[data-undo]").addEventListener("click", () => this.undo());
    this.section.querySelector("[data-clear]").addEventListener("click", () => this.clear());
    document.addEventListener("keydown", (event) => {
      const undo = (event.ctrlKey || event.metaKey) && !event.shiftKey && event.key === "z";
      if (!undo || !this.strokes.length || event.target.closest("textarea")) return;
      event.preventDefault();
      this.undo();
    });
    new ResizeObserver(() => this.fit()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.paint());
  }

  begin(event) {
    if (this.pointer !== undefined || event.button !== 0) return;
    event.preventDefault();
    this.canvas.setPointerCapture(event.pointerId);
    this.pointer = event.pointerId;
    clearTimeout(this.timer);
    const chosen = this.section.querySelector("[name=pen]:checked").value;
    const width = (Number(chosen) * UNITS) / Math.max(this.canvas.clientWidth, 480);
    this.strokes.push({ width, points: [this.place(event)] });
    this.paint();
  }

  draw(event) {
    if (event.pointerId !== this.pointer) return;
    const moves = event.getCoalescedEvents?.() ?? [];
    const points = this.strokes.at(-1).points;
    for (const move of moves.length ? moves : [event]) points.push(this.place(move));
    this.paint();
  }

  end(event) {
    if (event.pointerId !== this.pointer) return;
    this.pointer = undefined;
    this.readSoon();
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    const scale = UNITS / box.width;
    return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  }

  undo() {
    this.strokes.pop();
    this.paint();
    if (this.strokes.length) this.readSoon();
    else this.forget();
  }

  clear() {
    this.strokes = [];
    this.paint();
    this.forget();
  }

  // What was read of this drawing stays in the history; the next stroke begins another one.
  forget() {
    clearTimeout(this.timer);
    this.sent = "";
    this.drawn += 1;
    this.reading.replaceChildren(...this.empty.cloneNode(true).childNodes);
  }

  paint() {
    const { canvas, strokes } = this;
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, canvas.width, canvas.height);
    this.ink(context, canvas.width / UNITS, getComputedStyle(canvas).color);
    this.hint.hidden = strokes.length > 0;
    for (const button of this.buttons) button.disabled = !strokes.length;
  }

  ink(context, scale, colour) {
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.lineCap = context.lineJoin = "round";
    context.strokeStyle = colour;
    for (const { width, points } of this.strokes) {
      context.lineWidth = width;
      context.beginPath();
      context.moveTo(...points[0]);
      // Curves through the middles of the points are smooth where the pen was fast.
      for (let i = 1; i < points.length - 1; i++) {
        const [x, y] = points[i];
        const [nextX, nextY] = points[i + 1];
        context.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
      }
      context.lineTo(...points.at(-1)); // a dot, where the pen did not move
      context.stroke();
    }
    context.setTransform(1, 0, 0, 1, 0, 0);
  }

  readSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.read(), READ_AFTER);
  }

  async read() {
    if (this.sending) await this.sending; // its number is what this one goes on with
    if (this.pointer !== undefined || !this.strokes.length) return;
    this.sending = this.send(this.drawn).finally(() => (this.sending = null));
  }

  async send(drawn) {
    const file = new File([this.png()], "drawing.png", { type: "image/png" });
    const fields = { source: "drawing", part: "panel", replaces: this.sent };
    const html = await sendImage(file, fields);
    if (drawn !== this.drawn) return; // it was cleared meanwhile
    show(this.reading, html);
    this.sent = this.reading.querySelector("[data-upload]")?.dataset.upload ?? "";
  }

  png() {
    const page = document.createElement("canvas");
    page.width = UNITS;
    page.height = Math.round(this.height);
    const context = page.getContext("2d");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, page.width, page.height);
    this.ink(context, 1, "#000");
    // Not toBlob: browsers put that off until they are idle, up to a second.
    const data = atob(page.toDataURL("image/png").split(",")[1]);
    return Uint8Array.from(data, (sign) => sign.charCodeAt(0));
  }
}

document.querySelectorAll("[data-draw]").forEach((section) => new Drawing(section));
