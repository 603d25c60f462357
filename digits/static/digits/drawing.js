// The drawing area of the start page. Strokes are kept as points, so that they can be undone, and
// are drawn in the page's colours but sent as black ink on white.

import { sendImage, show } from "./sending.js";

const READ_AFTER = 300; // milliseconds after the pen was lifted
// Milliseconds for which a pen counts as near after its last event. Pens that do not hover tell
// nothing between two strokes of a number, which follow each other within a second; and whoever
// puts the pen away for a finger takes longer.
const PEN_NEAR = 1500;
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
    this.penSeen = -Infinity;
    this.isRefused = false; // for now: the page is too old
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
    canvas.addEventListener("pointerup", (event) => this.end(event));
    canvas.addEventListener("pointercancel", (event) => this.cancel(event));
    // Also while it hovers beside the board, before the hand that holds it lies down.
    for (const name of ["pointerover", "pointermove", "pointerdown", "pointerup"]) {
      document.addEventListener(name, (event) => this.look(event), { capture: true });
    }
    this.section.querySelector("[data-undo]").addEventListener("click", () => this.undo());
    this.section.querySelector("[data-clear]").addEventListener("click", () => this.clear());
    document.addEventListener("keydown", (event) => {
      const undo = (event.ctrlKey || event.metaKey) && !event.shiftKey && event.key === "z";
      if (!undo || !this.strokes.length || event.target.closest("textarea")) return;
      event.preventDefault();
      this.undo();
    });
    // What was refused stays on the board, and is tried again by whoever comes back to the page,
    // perhaps from signing in elsewhere.
    window.addEventListener("focus", () => this.isRefused && this.readSoon());
    new ResizeObserver(() => this.fit()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.paint());
  }

  look(event) {
    if (event.pointerType === "pen") this.penSeen = performance.now();
  }

  get penIsNear() {
    return this.pointerType === "pen" || performance.now() - this.penSeen < PEN_NEAR;
  }

  begin(event) {
    if (event.button !== 0) return;
    if (event.pointerType === "touch" && this.penIsNear) return; // a palm
    if (this.pointer !== undefined) {
      if (event.pointerType !== "pen" || this.pointerType !== "touch") return;
      this.strokes.pop(); // what the palm drew that lay down before the pen
    }
    event.preventDefault();
    this.canvas.setPointerCapture(event.pointerId);
    this.pointer = event.pointerId;
    this.pointerType = event.pointerType;
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
    this.pointer = this.pointerType = undefined;
    this.readSoon();
  }

  // The system takes a touch away: for a palm, once it has seen the pen, or for a gesture.
  cancel(event) {
    if (event.pointerId === this.pointer && event.pointerType === "touch" && this.penIsNear) {
      this.strokes.pop();
      this.paint();
    }
    this.end(event);
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
    this.isRefused = false;
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
    context.strokeStyle = context.fillStyle = colour;
    for (const { width, points } of this.strokes) {
      context.lineWidth = width;
      context.beginPath();
      if (points.every(([x, y]) => x === points[0][0] && y === points[0][1])) {
        context.arc(...points[0], width / 2, 0, 2 * Math.PI); // a tap is a dot
        context.fill();
        continue;
      }
      context.moveTo(...points[0]);
      // Curves through the middles of the points are smooth where the pen was fast.
      for (let i = 1; i < points.length - 1; i++) {
        const [x, y] = points[i];
        const [nextX, nextY] = points[i + 1];
        context.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
      }
      context.lineTo(...points.at(-1));
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
    const { html, isTooOld } = await sendImage(file, fields);
    if (drawn !== this.drawn) return; // it was cleared meanwhile
    this.isRefused = isTooOld;
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
