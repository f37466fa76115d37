// Bytes and their labels.

const NAMED = { " ": "␣", "\n": "↵", "\t": "⇥" };

/** Return the UTF-8 bytes of a text. */
export function encode(text) {
  return new TextEncoder().encode(text);
}

/** Return the longest beginning of a text that has at most `most` bytes; no character is cut. */
export function clip(text, most) {
  let size = 0, kept = "";
  for (const character of text) {
    size += encode(character).length;
    if (size > most) return kept;
    kept += character;
  }
  return kept;
}

/** Return a printable label per byte: a character at its first byte, "·" at its others. */
export function byteLabels(text) {
  return Array.from(text).flatMap(character => {
    const size = encode(character).length;
    return [characterLabel(character), ...Array(size - 1).fill("·")];
  });
}

function characterLabel(character) {
  if (NAMED[character]) return NAMED[character];
  if (/\p{M}/u.test(character) && !/[\uFE00-\uFE0F]/.test(character)) return `◌${character}`;
  return /[\p{C}\p{Z}\uFE00-\uFE0F]/u.test(character) ? hex(encode(character)[0]) : character;
}

/** Return a label as a listener understands it: what has no shape of its own is named. */
export function spoken(label) {
  return { "␣": "space", "↵": "line break", "⇥": "tab", "·": "rest of the character" }[label] ?? label;
}

/** Return the label of one byte by itself, as the model's next byte has one. */
export function byteLabel(byte) {
  const character = String.fromCharCode(byte);
  return byte < 128 && (NAMED[character] || !/\p{C}/u.test(character)) ? NAMED[character] || character : hex(byte);
}

function hex(byte) {
  return byte.toString(16).toUpperCase().padStart(2, "0");
}

/** Return a text as a Python literal. */
export function pythonText(text) {
  return JSON.stringify(text).replace(/[\u007f\u2028\u2029]/g,
    sign => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
