import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { stateOf, Judge } from '../../prove/judged.js'
import { keysByPartition } from '../../prove/open-load.js'
import { proofPage } from '../../prove/page/page.js'
import { mapShape } from '../../prove/page/record-map.js'
import {
  contradictions,
  countStates,
  packed,
  unpacked,
  type ClientData,
  type ProofData,
} from '../../prove/proof-data.js'
import { brokenPromises, sentenceOf } from '../../prove/sentence.js'
import { murmur2Partition } from '../../../src/topic/murmur2.js'
import { Ledger } from '../../support/ledger.js'
import { seededRandom } from '../../support/seeded-random.js'
import { textBoxes, textOverText } from '../../support/svg.js'
import { decodedPng } from '../../support/decoded-png.js'
import { fabricatedProof, records } from './fabricated-proof.js'

const data = fabricatedProof()
const page = proofPage(data)
const [kafkajs] = data.clients

const mapsIn = (html: string) =>
  [...html.matchAll(/<img class="map" src="([^"]+)"/g)].map(([, uri]) => decodedPng(uri as string))

describe('the judge of a run', () => {
  it('names what is in the log too often before all that was said of it', () => {
    expect([stateOf('stored', 1), stateOf('stored', 0), stateOf('stored', 2), stateOf('unknown', 3)]).toEqual([
      0, 1, 2, 3,
    ])
    expect([stateOf('unknown', 1), stateOf('not-stored', 0), stateOf('not-stored', 1), stateOf('invoked', 1)]).toEqual([
      4, 5, 6, 7,
    ])
  })

  it('counts what the log holds against what was said', () => {
    const ledger = new Ledger('run')
    const ids = ['a', 'a', 'a', 'a'].map((key) => ledger.invoke(0, key))
    for (const [offset, id] of ids.slice(0, 3).entries()) ledger.settle(id, { kind: 'stored', partition: 0, offset })
    const judge = new Judge(ledger, 5)
    for (const [offset, sequence] of [0, 2, 2].entries())
      judge.record({ value: Buffer.from(ledger.value({ producer: 0, sequence })), partition: 0, offset })
    const { map, totals } = judge.verdict()
    expect([...map]).toEqual([0, 1, 2, 7, 7])
    expect(totals).toMatchObject({ acknowledged: 3, lost: 1, doubled: 1, unknown: 0 })
  })
})

describe('the load', () => {
  it('gives record i to partition i modulo 10, by the keys alone', () => {
    const keys = keysByPartition(100, 10)
    expect(new Set(keys).size).toBe(100)
    expect(keys.map((key) => murmur2Partition(Buffer.from(key), 10))).toEqual(keys.map((_, index) => index % 10))
  })
})

describe('a run in which tidemark broke a promise', () => {
  const withTidemark = (change: (client: ClientData) => Partial<ClientData>): ProofData => ({
    ...data,
    clients: data.clients.map((client) => (client.name === 'tidemark' ? { ...client, ...change(client) } : client)),
  })
  const totals = (wrong: Partial<ClientData['totals']>) =>
    withTidemark((client) => ({ totals: { ...client.totals, ...wrong } }))
  const oneInState = (state: number) =>
    withTidemark(() => ({
      map: packed(Uint8Array.from({ length: records }, (_, record) => (record === 5 ? state : 0))),
    }))

  it('is told, by each of the ways in which it could', () => {
    const told = (run: ProofData) => brokenPromises(run).join()
    expect(told(totals({ outOfOrder: 0 }))).toBe('')
    const wrong = { lost: 1, doubled: 1, outOfOrder: 1 }
    for (const [kind, count] of Object.entries(wrong))
      expect(told(totals({ outOfOrder: 0, [kind]: count }))).toMatch(/^1 /)
    expect(told(oneInState(6))).toContain('1 said not to be stored, and in the log')
    expect(told(oneInState(7))).toContain('1 without an answer')
    expect(told(totals({ acknowledged: 0 }))).toContain('of which none was acknowledged')
    expect(told({ ...data, clients: [] })).toBe('tidemark took no part')
  })
})

describe('the page of a proof', () => {
  it('says the same in its sentence, its data, its tables and its pixels', () => {
    expect(contradictions(data)).toEqual([])
    expect(page).toContain(`<h1>${sentenceOf(data)}</h1>`)
    const inside = JSON.parse(/id="data">([^<]+)</.exec(page)?.[1] ?? '') as ProofData
    expect(inside).toEqual(data)
    const { totals } = kafkajs as ProofData['clients'][number]
    expect(page).toContain(
      `<th scope="row">doubled</th><td class="figure">${totals.doubled}</td><td class="figure">0</td>`,
    )
    const pixels = mapsIn(page)
      .slice(0, 2)
      .flatMap(({ rows }) => rows.flatMap((row) => [...row]))
    const counts = countStates(Uint8Array.from(pixels))
    expect(counts[1]).toBe(totals.lost)
    expect((counts[2] ?? 0) + (counts[3] ?? 0)).toBe(totals.doubled)
  })

  it('has each record at its place', () => {
    const shape = mapShape(data.load)
    const [first, second] = mapsIn(page)
    const map = unpacked(kafkajs?.map ?? '', records)
    const random = seededRandom(1)
    for (let tried = 0; tried < 100; tried++) {
      const record = Math.floor(random() * records)
      const { column, row } = shape.place(record)
      expect(row).toBeGreaterThanOrEqual(0)
      const seen = column < 300 ? first?.rows[row]?.[column] : second?.rows[row]?.[column - 300]
      expect(seen).toBe(map[record])
    }
    expect(shape.place(records - 1)).toEqual({ column: 599, row: 19 })
    expect(shape.place(11)).toEqual({ column: 0, row: 3 })
  })

  it('is drawn by nobody from figures that contradict each other', () => {
    const wrong = {
      ...data,
      clients: data.clients.map((client) => ({ ...client, totals: { ...client.totals, lost: 1 } })),
    }
    expect(contradictions(wrong)).toHaveLength(4)
  })

  it('asks nobody for anything and runs no script but its own', () => {
    expect(page).not.toMatch(/https?:\/\/(?!www\.w3\.org\/2000\/svg)/)
    expect(page).not.toMatch(/ style="| on\w+="/)
    const policy = /Content-Security-Policy" content="([^"]+)"/.exec(page)?.[1] ?? ''
    expect(policy).toContain("default-src 'none'")
    const hash = (text: string) => createHash('sha256').update(text).digest('base64')
    for (const [, kind, text] of page.matchAll(/<(style|script)>([^]*?)<\/\1>/g)) {
      expect(policy).toContain(`${kind}-src 'sha256-${hash(text as string)}'`)
      if (kind === 'script') expect((text as string).length).toBeLessThan(6_000)
    }
    expect(page).not.toContain('<b>leader')
    expect(page.length).toBeLessThan(400_000)
  })

  it('lets no text of its charts lie over another, at any of its widths', () => {
    const charts = [...page.matchAll(/<div class="w\d+">(<svg[^]*?<\/svg>)<\/div>/g)].map(([, svg]) => svg as string)
    expect(charts).toHaveLength(3)
    for (const svg of charts) expect(textOverText(textBoxes(svg))).toEqual([])
  })

  it('has a gap where the lag was not known', () => {
    const [svg = ''] = [...page.matchAll(/<div class="w1200">(<svg[^]*?<\/svg>)<\/div>/g)].map(
      ([, found]) => found as string,
    )
    const strip = svg.slice(svg.indexOf('data-strip="Acknowledged, not yet handled"'))
    expect(/data-line="kafkajs" d="([^"]+)"/.exec(strip)?.[1]?.match(/M/g)).toHaveLength(2)
  })
})
