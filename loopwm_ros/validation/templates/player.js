"use strict";
(() => {
  const CASING = "#10141a", ACTUAL = "#0072b2", IMAGINED = "#e69f00", MOVED = "#cc79a7";
  const REST = 1.2; // seconds on the last frame before the film begins again
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;

  class Film {
    constructor(root) {
      this.root = root;
      this.film = JSON.parse(document.getElementById(root.dataset.film).textContent);
      this.times = this.film.frames.map((frame) => frame.time);
      this.canvas = root.querySelector("canvas");
      this.pen = this.canvas.getContext("2d");
      this.pen.imageSmoothingQuality = "high";
      this.scale = this.canvas.width / this.film.width;
      this.slider = root.querySelector("input");
      this.button = root.querySelector("button");
      this.images = [];
      this.index = 0;
      this.playing = false;
      this.chart();
      this.slider.addEventListener("input", () => { this.pause(); this.show(Number(this.slider.value)); });
      this.button.addEventListener("click", () => { this.playing ? this.pause() : this.play(); });
      this.button.textContent = "▶";
      this.load();
    }

    load() {
      this.images = this.film.frames.map((frame, i) => {
        const image = new Image();
        image.onload = () => { if (i === this.index) this.show(i); };
        image.src = `data:image/jpeg;base64,${frame.jpeg}`;
        return image;
      });
      this.show(0);
    }

    play() {
      this.playing = true;
      this.button.textContent = "❚❚";
      const last = this.times.length - 1;
      let origin = performance.now() / 1000 - (this.index === last ? this.times[0] : this.times[this.index]);
      const tick = (milliseconds) => {
        if (!this.playing) return;
        const time = milliseconds / 1000 - origin;
        if (time > this.times[last] + REST) origin = milliseconds / 1000 - this.times[0];
        const next = this.times.findIndex((t) => t > time);
        this.show(next < 0 ? last : Math.max(0, next - 1));
        requestAnimationFrame(tick);
      };
      requestAnimationFrame(tick);
    }

    pause() {
      this.playing = false;
      this.button.textContent = "▶";
    }

    show(index) {
      const frame = this.film.frames[index], image = this.images[index], s = this.scale;
      this.index = index;
      this.slider.value = index;
      if (image.complete) this.pen.drawImage(image, 0, 0, this.canvas.width, this.canvas.height);
      this.line(this.film.track.slice(index, frame.until + 1), ACTUAL, s * 0.45, 0);
      this.line(this.film.track.slice(0, index + 1), ACTUAL, s, 2);
      this.line(frame.moved, MOVED, s * 0.5, 2);
      frame.moved.forEach((point) => this.disc(point, 0.9 * s, MOVED));
      this.line(frame.imagined, IMAGINED, s * 0.5, 2);
      frame.imagined.forEach((point) => this.disc(point, 0.9 * s, IMAGINED));
      this.disc(this.film.track[index], 1.8 * s, ACTUAL);
      frame.goal.forEach((point) => this.ring(point, 7.5 * s));
      this.write("time", frame.time, 2, "s");
      this.write("distance", frame.distance, 1, "cm");
      this.write("cycle", frame.cycle, 0, "ms");
      this.write("loops", frame.loops, 1, "");
      const x = this.across(frame.time);
      this.head.setAttribute("x1", x);
      this.head.setAttribute("x2", x);
    }

    write(name, value, digits, unit) {
      this.root.querySelector(`[data-show=${name}]`).textContent =
        value === null ? "–" : `${value.toFixed(digits)} ${unit}`;
    }

    line(points, colour, width, casing) {
      const path = points.filter(Boolean);
      if (path.length < 2) return;
      const pen = this.pen;
      pen.lineJoin = pen.lineCap = "round";
      pen.beginPath();
      path.forEach(([x, y]) => pen.lineTo(x * this.scale, y * this.scale));
      if (casing) { pen.strokeStyle = CASING; pen.lineWidth = width + 2 * casing; pen.stroke(); }
      pen.strokeStyle = colour; pen.lineWidth = width; pen.stroke();
    }

    disc(point, radius, colour) {
      if (!point) return;
      const pen = this.pen;
      pen.beginPath();
      pen.arc(point[0] * this.scale, point[1] * this.scale, radius, 0, 2 * Math.PI);
      pen.fillStyle = colour; pen.fill();
      pen.strokeStyle = CASING; pen.lineWidth = 1.5; pen.stroke();
    }

    ring(point, radius) {
      if (!point) return;
      const pen = this.pen;
      pen.beginPath();
      pen.arc(point[0] * this.scale, point[1] * this.scale, radius, 0, 2 * Math.PI);
      pen.strokeStyle = CASING; pen.lineWidth = 7; pen.stroke();
      pen.strokeStyle = IMAGINED; pen.lineWidth = 4; pen.stroke();
    }

    across(time) {
      const first = this.times[0], span = this.times[this.times.length - 1] - first;
      return span > 0 ? 100 * (time - first) / span : 0;
    }

    chart() {
      const svg = this.root.querySelector("svg");
      const known = this.film.frames.filter((frame) => frame.distance !== null);
      const top = Math.max(this.film.goal * 2, ...known.map((frame) => frame.distance));
      this.write("top", top, 0, "cm");
      const height = (distance) => 60 - 58 * distance / top;
      const add = (name, attributes) => {
        const element = document.createElementNS("http://www.w3.org/2000/svg", name);
        for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
        return svg.appendChild(element);
      };
      const goal = height(this.film.goal);
      add("line", { class: "goal", x1: 0, x2: 100, y1: goal, y2: goal });
      const points = known.map((frame) => `${this.across(frame.time)},${height(frame.distance)}`).join(" ");
      add("polyline", { class: "curve", points });
      this.head = add("line", { class: "head", x1: 0, x2: 0, y1: 0, y2: 60 });
      svg.addEventListener("click", (event) => {
        const box = svg.getBoundingClientRect(), share = (event.clientX - box.left) / box.width;
        this.pause();
        this.show(Math.round(Math.min(1, Math.max(0, share)) * (this.times.length - 1)));
      });
    }
  }

  document.documentElement.classList.add("js");
  const films = new Map([...document.querySelectorAll(".player")].map((root) => [root, new Film(root)]));
  const watcher = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const film = films.get(target);
      if (!isIntersecting) { film.pause(); continue; }
      if (!calm) film.play();
    }
  }, { threshold: 0.3 });
  films.forEach((_, root) => watcher.observe(root));
})();
