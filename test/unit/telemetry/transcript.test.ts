import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { normalised, normalisedPage, pageOf, playTranscript } from '../../transcript/transcript.js'

const page = readFileSync(new URL('../../../docs/guides/log-transcript.md', import.meta.url), 'utf8')

describe('the log of a service', () => {
  const played = playTranscript()

  it('is as the documentation shows it (npm run transcript writes that anew)', async () => {
    const chapters = await played
    expect(normalised(chapters)).toEqual(normalisedPage(page))
    expect(normalisedPage(pageOf(chapters))).toEqual(normalised(chapters))
  })

  it('tells each thing once', async () => {
    const chapters = await played
    for (const { title, lines } of chapters) {
      const told = lines.map(({ fields }) => JSON.stringify([title, fields['event'], placeIn(fields)]))
      expect(told.filter((one, index) => told.indexOf(one) !== index)).toEqual([])
      expect(lines.length).toBeLessThanOrEqual(12)
    }
    expect(chapters.flatMap(({ lines }) => lines.filter(({ fields }) => fields['event'] === undefined))).toEqual([])
  })
})

function placeIn({ topic, partition, offset, node, partitions, generation, drain }: Readonly<Record<string, unknown>>) {
  return [topic, partition, offset, node, partitions, generation, drain]
}
