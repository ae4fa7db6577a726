import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { dark, light } from '../../../src/pictures/theme.js'
import { readmePicture } from '../../prove/page/readme-picture.js'
import { contradictions, type ProofData } from '../../prove/proof-data.js'
import { sentenceOf } from '../../prove/sentence.js'
import { decodedPng } from '../../support/decoded-png.js'
import { projectRoot } from '../../support/source-tree.js'
import { elementsOf } from '../../support/svg.js'

/** With pixels in place of bytes: how they are compressed is each zlib's own affair. */
const normalised = (svg: string) =>
  svg.replace(/data:image\/png;base64,[^"]+/g, (uri) =>
    createHash('sha256')
      .update(Buffer.concat([...decodedPng(uri).rows]))
      .digest('hex'),
  )

describe('the picture of the README', () => {
  const kept = JSON.parse(readFileSync(join(projectRoot, 'docs/pictures/proof.json'), 'utf8')) as ProofData

  it.each(Object.entries({ light, dark }))(
    'is what the kept run looks like: npm run prove -- --draw docs/pictures/proof.json --pictures docs/pictures (%s)',
    (name, theme) => {
      const file = readFileSync(join(projectRoot, `docs/pictures/proof-${name}.svg`), 'utf8')
      // A boolean: two pictures beside each other would fill the screen.
      expect(normalised(file) === normalised(readmePicture(kept, theme))).toBe(true)
      expect(file.length).toBeLessThan(200_000)
      expect(elementsOf(file.trim())[0]?.attributes['aria-label']).toBe(sentenceOf(kept))
    },
  )

  it('stands under its own figures', () => {
    expect(contradictions(kept)).toEqual([])
    expect(readFileSync(join(projectRoot, 'README.md'), 'utf8')).toContain(sentenceOf(kept))
  })
})
