// Building from the page's own <template> elements. What comes from the stream
// becomes text, never markup: the page's policy forbids anything else.

export const byId = (id) => document.getElementById(id);

// blank copies the one element of a template.
export const blank = (id) => byId(id).content.firstElementChild.cloneNode(true);

// field finds the part of an element that holds one value.
export const field = (element, name) => element.querySelector(`[data-f="${name}"]`);

// fill sets the text of parts, and touches only what changes.
export function fill(element, values) {
  for (const [name, value] of Object.entries(values)) {
    const part = field(element, name);
    const text = String(value);
    if (part && part.textContent !== text) part.textContent = text;
  }
}

export function setIcon(element, name) {
  const use = element.querySelector('use');
  if (use.getAttribute('href') !== `#i-${name}`) use.setAttribute('href', `#i-${name}`);
}

export function setData(element, values) {
  for (const [name, value] of Object.entries(values)) {
    if (element.dataset[name] !== String(value)) element.dataset[name] = value;
  }
}

// sync makes the children of a list match items, keeping elements by key. While
// the reader is on the list (by focus or pointer) nothing moves under their
// hand: order is put right afterwards.
export function sync(list, items, key, create, update) {
  const have = new Map([...list.children].map((child) => [child.dataset.key, child]));
  const held = list.matches(':hover') || list.contains(document.activeElement);
  let previous = null;
  for (const item of items) {
    let element = have.get(key(item));
    have.delete(key(item));
    const fresh = !element;
    if (fresh) {
      element = create();
      element.dataset.key = key(item);
    }
    update(element, item);
    const place = previous ? previous.nextElementSibling : list.firstElementChild;
    if (fresh || (!held && place !== element)) list.insertBefore(element, place);
    previous = element;
  }
  for (const gone of have.values()) gone.remove();
}
