import { printable } from '../text/printable.js'

declare const safe: unique symbol

/** Markup in which every text and every attribute is escaped: only this file makes any. */
export type Markup = string & { readonly [safe]: true }

export type Attributes = Readonly<Record<string, string | number | undefined>>

export const nothing = '' as Markup

export function element(name: string, attributes: Attributes, ...inside: readonly Markup[]): Markup {
  const written = Object.entries(attributes).map(([attribute, value]) =>
    value === undefined ? '' : ` ${attribute}="${typeof value === 'number' ? short(value) : escaped(value)}"`,
  )
  const start = `<${name}${written.join('')}`
  return (inside.length === 0 ? `${start}/>` : `${start}>${inside.join('')}</${name}>`) as Markup
}

/** Text from anywhere: shown as it is, with escapes in place of what would not be seen or would turn the line. */
export function words(text: string): Markup {
  return escaped(text) as Markup
}

/** Hundredths of a pixel are seen by nobody. */
function short(value: number): string {
  return String(Math.round(value * 100) / 100)
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

function escaped(text: string): string {
  return printable(text).replace(/[&<>"]/g, (character) => entities[character] as string)
}
