// Elements made by hand: text is always text, never markup. Icons, and numbers as people read them.

const SVG = "http://www.w3.org/2000/svg";

const ICONS = {
  good: "M4 12.5l5.5 5.5L20 7",
  note: "M12 3.5L22 20H2zM12 10v4.5M12 17.4v.2",
  bad: "M8 2.8h8L21.2 8v8L16 21.2H8L2.8 16V8zM8.8 8.8l6.4 6.4M15.2 8.8l-6.4 6.4",
  none: "M12 2.8a9.2 9.2 0 1 0 0 18.4 9.2 9.2 0 0 0 0-18.4zM8 12h8",
  live: "M2.5 12.5h4l3-8 5 15 3-7h4",
  check: "M9 4h6v3H9zM7 5.5H5V21h14V5.5h-2M8.5 13.5l2.5 2.5 4.5-5",
  flash: "M12 3v11M7.5 9.5L12 14l4.5-4.5M4 16v4h16v-4",
  trips: "M6 21V8.5M6 8.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM18 3v12M18 15a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5zM18 5h-4.5a4 4 0 0 0-4 4v6a4 4 0 0 1-3.5 4",
  papers: "M6 2.8h8l4.5 4.5v14H6zM14 2.8v4.5h4.5M9 12h6M9 16h6",
  logs: "M4 5h16M4 10h16M4 15h10M4 20h7",
  world: "M12 2.8a9.2 9.2 0 1 0 0 18.4 9.2 9.2 0 0 0 0-18.4zM2.8 12h18.4M12 2.8c3 2.6 4 5.700 4 9.200s-1 6.600-4 9.200c-3-2.600-4-5.700-4-9.200s1-6.600 4-9.200z",
  on: "M9 5l7 7-7 7",
  back: "M15 5l-7 7 7 7",
  lock: "M6 11h12v10H6zM8.500 11V7.500a3.500 3.500 0 0 1 7 0V11",
  wait: "M12 2.8a9.2 9.2 0 1 0 0 18.4 9.2 9.2 0 0 0 0-18.4zM12 7v5.500l3.500 2",
};

/** An element: h("p", {class: "lead"}, "text", child, null). Properties that begin with "on" listen. */
export function h(tag, attributes, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

function s(tag, attributes, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, told] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), told);
    else if (told === true) element.setAttribute(name, "");
    else if (told !== false && told !== null && told !== undefined) element.setAttribute(name, told);
  }
  element.append(...there(children));
  return element;
}

const there = (children) => children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);

/** An icon; it stands beside a word, so it says nothing itself. */
export function icon(name) {
  return s("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" }, s("path", { d: ICONS[name] }));
}

/** A little plot of the newest values; null breaks the line. */
export function spark(values, most) {
  const known = values.filter((value) => value !== null);
  const low = Math.min(...known), high = Math.max(...known, low + 1e-9);
  const up = (value) => (known.length && high - low > 1e-6 ? 36 - ((value - low) / (high - low)) * 32 : 20).toFixed(1);
  const pieces = [[]];
  values.forEach((value, at) => {
    if (value === null) pieces.push([]);
    else pieces.at(-1).push(`${(((most - values.length + at) / (most - 1)) * 100).toFixed(2)},${up(value)}`);
  });
  const lines = pieces.filter((piece) => piece.length > 1).map((piece) => s("polyline", { points: piece.join(" ") }));
  return s("svg", { class: "spark", viewBox: "0 0 100 40", preserveAspectRatio: "none", "aria-hidden": "true" },
    s("line", { x1: 0, x2: 100, y1: 39.5, y2: 39.5 }), lines);
}

/** A state: colour, icon, title, and what stands below. */
export function state(colour, title, ...below) {
  return h("div", { class: `state ${colour}` }, icon(colour), title instanceof Node ? title : h("h2", {}, title), below);
}

/** A short state on one line. */
export function chip(colour, words) {
  return h("span", { class: `chip ${colour}` }, icon(colour), h("span", {}, words));
}

/** Something goes on, and nobody knows how long. */
export function busy(words) {
  return h("div", {}, h("div", { class: "busy", "aria-hidden": "true" }, h("i")), h("p", { class: "soft" }, words));
}

/** Put children in place of what is there. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat(2).filter((child) => child !== null && child !== undefined));
}

/** Tell whoever listens instead of looking. */
export function say(words) {
  document.getElementById("said").textContent = words;
}

/** A number with so many digits behind the point; a dash where there is none. */
export function figure(number, digits = 0) {
  return number === null || number === undefined ? "–" : number.toLocaleString(document.documentElement.lang,
    { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
