/**
 * What a terminal would carry out or hide instead of show: control characters, among them those that begin an escape
 * sequence in one byte (C1), what turns the direction of writing, and what has no width.
 */

const unseen = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff]/g

const unseenButLines =
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff]/g

/** Text from outside on one line, with escapes in place of what would not be seen. */
export function printable(text: string): string {
  return text.replace(unseen, escaped)
}

/** The same for text of several lines. */
export function printableLines(text: string): string {
  return text.replace(unseenButLines, escaped)
}

/** JSON that is safe on a terminal too: what JSON leaves as it is stands only within its texts, where an escape means the same. */
export function printableJson(value: unknown, indent?: number): string {
  return printableLines(JSON.stringify(value, null, indent))
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
