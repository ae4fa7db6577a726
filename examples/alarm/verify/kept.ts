import { readFile } from 'node:fs/promises'
import { z } from 'zod'

const Look = z.object({
  kind: z.literal('look'),
  lag: z.number().nullable(),
  raiseAt: z.number(),
  level: z.number(),
})
/** Of whoever watches the lag: what it saw (`null`: it could not), where level 1 begins, and the level that it told then. */
export type Look = z.infer<typeof Look>

/**
 * What somebody who stood by saw, a JSON object a line: a receiver of notices (`effect`: it was told nothing by that id before;
 * `visible`: the alert's version stood in the database when the notice came), who ended processes, or killed them, and who
 * watched the lag.
 */
const Entry = z.union([
  z.object({ kind: z.literal('notice'), notice_id: z.string(), effect: z.boolean(), visible: z.boolean() }),
  z.object({ kind: z.literal('death'), service: z.string() }),
  Look,
  z.object({ kind: z.literal('exit'), service: z.string(), code: z.number().nullable(), ms: z.number() }),
])
export type Journal = readonly z.infer<typeof Entry>[]

/** What a run without faults over the same input ended with. */
export const Reference = z.object({
  /** `alert_key` and generation, in the order of their text. */
  alerts: z.array(z.string()),
  /** `converge_id`, and each change of an alert that is in it. */
  windows: z.record(z.string(), z.array(z.string())),
})
export type Reference = z.infer<typeof Reference>

export async function readJournal(path: string): Promise<Journal> {
  const lines = (await readFile(path, 'utf8')).split('\n').filter((line) => line !== '')
  return lines.map((line) => Entry.parse(JSON.parse(line)))
}

export async function readReference(path: string): Promise<Reference> {
  return Reference.parse(JSON.parse(await readFile(path, 'utf8')))
}
