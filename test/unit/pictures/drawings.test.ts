import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { textWidth } from '../../../src/pictures/text-width.js'
import { elementsOf, textOverText, type Box } from '../../support/svg.js'
import { projectRoot } from '../../support/source-tree.js'

const folder = join(projectRoot, 'docs/guides/pictures')
const drawings = readdirSync(folder).filter((name) => name.endsWith('.svg'))

/** As the style sheets of the drawings have it: 14 px, less where something is small. */
const smallSize = 13

function boxesOf(svg: string): readonly Box[] {
  return elementsOf(svg)
    .filter(({ name }) => name === 'text')
    .map(({ attributes, text }) => {
      const classes = (attributes.class ?? '').split(' ')
      const size = classes.includes('small') ? smallSize : 14
      const [x, y] = [Number(attributes.x), Number(attributes.y)]
      const width = textWidth(text, size, classes.includes('name') ? 'bold' : undefined)
      const anchor = attributes['text-anchor']
      const left = anchor === 'end' ? x - width : anchor === 'middle' ? x - width / 2 : x
      return { text, left, right: left + width, top: y - size * 0.8, bottom: y + size * 0.2 }
    })
}

describe.each(drawings)('the drawing %s', (name) => {
  const svg = readFileSync(join(folder, name), 'utf8').trimEnd()

  it('lies inside its page, no text over another, whatever the font', () => {
    const [root] = elementsOf(svg)
    const boxes = boxesOf(svg)
    expect(boxes.length).toBeGreaterThan(5)
    expect(textOverText(boxes)).toEqual([])
    const outside = boxes.filter(({ left, right, top, bottom }) => {
      const { width, height } = root!.attributes
      return left < 0 || top < 0 || right > Number(width) || bottom > Number(height)
    })
    expect(outside.map(({ text }) => text)).toEqual([])
  })

  it('has a title and words for who cannot see it, both themes, and 30 KB at most', () => {
    expect(svg.length).toBeLessThanOrEqual(30_000)
    expect(svg).toMatch(/role="img" aria-labelledby="title desc"/)
    expect(svg).toMatch(/<title id="title">[^<]+<\/title>\s*<desc id="desc">[^<]{40,}<\/desc>/)
    expect(svg).toMatch(/prefers-color-scheme: dark/)
  })
})
