// Elements from text and attributes. Text is never markup.

const SVG = "http://www.w3.org/2000/svg";
const LISTENERS = ["onclick", "onsubmit", "oninput", "onchange", "onkeydown", "ontimeupdate"];

export function h(name, attributes, ...children) {
  return filled(document.createElement(name), attributes, children);
}

export function svg(name, attributes, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (LISTENERS.includes(name)) node[name] = value;
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : String(child));
  }
  return node;
}

// Makes what is shown like what is wanted and leaves alone what is so already, so that focus, selection, scrolling and
// what a screen reader has read stay. Elements with the same data-key are the same thing.
export function show(place, ...wanted) {
  const next = document.createElement(place.nodeName);
  next.append(...wanted.flat(Infinity).filter((child) => child));
  children(place, next);
}

function children(now, next) {
  const keyed = new Map();
  for (const child of now.children) if (child.dataset?.key) keyed.set(child.dataset.key, child);
  let at = now.firstChild;
  for (const wanted of [...next.childNodes]) {
    const known = wanted.dataset?.key ? keyed.get(wanted.dataset.key) : null;
    if (known && known !== at) now.insertBefore(known, at);
    const is = known ?? at;
    if (is && isSame(is, wanted)) {
      const after = is.nextSibling;
      if (is.nodeType === Node.TEXT_NODE) {
        if (is.data !== wanted.data) is.data = wanted.data;
      } else {
        attributes(is, wanted);
        if (!is.hasAttribute("data-own")) children(is, wanted);
      }
      at = after;
    } else {
      now.insertBefore(wanted, at);
    }
  }
  while (at) {
    const after = at.nextSibling;
    at.remove();
    at = after;
  }
}

function isSame(one, other) {
  return one.nodeName === other.nodeName && (one.dataset?.key ?? "") === (other.dataset?.key ?? "");
}

function attributes(now, next) {
  for (const { name } of [...now.attributes]) if (!next.hasAttribute(name) && name !== "open") now.removeAttribute(name);
  for (const { name, value } of next.attributes) {
    if (now.getAttribute(name) === value) continue;
    now.setAttribute(name, value);
    // What somebody has filled in hides the attribute.
    if (name === "value" && now !== document.activeElement) now.value = value;
  }
  if (now.type === "checkbox" && !now.hasAttribute("data-own")) now.checked = next.hasAttribute("checked");
  if (now.nodeName === "TEXTAREA" && now.defaultValue !== next.defaultValue) now.value = now.defaultValue = next.defaultValue;
  for (const name of LISTENERS) if (now[name] !== next[name]) now[name] = next[name];
}
