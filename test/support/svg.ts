import { textWidth } from '../../src/pictures/text-width.js'

/** An element of a picture that we drew: attributes as they are written, text as it is read. */
export interface SvgElement {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly text: string
}

export interface Box {
  readonly text: string
  readonly left: number
  readonly right: number
  readonly top: number
  readonly bottom: number
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"' }
const read = (text: string) => text.replace(/&(amp|lt|gt|quot);/g, (_, name: string) => entities[name] as string)

/** All elements in the order they are drawn in. Fails where the markup is not well formed. */
export function elementsOf(svg: string): readonly SvgElement[] {
  const found: { name: string; attributes: Record<string, string>; text: string }[] = []
  const open: number[] = []
  let end = 0
  for (const match of svg.matchAll(/<(\/?)([a-z]+)((?:\s[\w:-]+="[^"<]*")*)\s*(\/?)>|([^<]+)/g)) {
    if (match.index !== end) throw new Error(`not well formed at ${end}: ${svg.slice(end, end + 60)}`)
    end = match.index + match[0].length
    const [, closing, name, attributes = '', empty, text] = match
    const current = found[open.at(-1) ?? -1]
    if (text !== undefined) {
      if (current === undefined) throw new Error(`text outside of every element: ${text}`)
      current.text += read(text)
    } else if (closing === '/') {
      if (current?.name !== name) throw new Error(`</${name}> ends <${current?.name}>`)
      open.pop()
    } else {
      const pairs = [...attributes.matchAll(/([\w:-]+)="([^"]*)"/g)].map(([, key, value]) => [
        key,
        read(value as string),
      ])
      found.push({ name: name as string, attributes: Object.fromEntries(pairs) as Record<string, string>, text: '' })
      if (empty !== '/') open.push(found.length - 1)
    }
  }
  if (end !== svg.length || open.length > 0) throw new Error(`not well formed at its end: ${svg.slice(-60)}`)
  return found
}

/** Where each text lies in the widest font that it may be shown in. */
export function textBoxes(svg: string): readonly Box[] {
  return elementsOf(svg)
    .filter(({ name }) => name === 'text')
    .map(({ attributes, text }) => {
      const [x, y, size] = ['x', 'y', 'font-size'].map((name) => Number(attributes[name])) as [number, number, number]
      const width = textWidth(text, size, attributes['font-weight'] === 'bold' ? 'bold' : undefined)
      const left =
        attributes['text-anchor'] === 'end' ? x - width : attributes['text-anchor'] === 'middle' ? x - width / 2 : x
      return { text, left, right: left + width, top: y - size * 0.8, bottom: y + size * 0.2 }
    })
}

/** Pairs of texts that lie over each other by more than a pixel. */
export function textOverText(boxes: readonly Box[]): readonly string[] {
  return boxes.flatMap((one, index) =>
    boxes.slice(index + 1).flatMap((other) => {
      const width = Math.min(one.right, other.right) - Math.max(one.left, other.left)
      const height = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top)
      return width > 0 && height > 0 && width * height > 1 ? [`“${one.text}” over “${other.text}”`] : []
    }),
  )
}
