import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Messaging } from 'tidemark'
import { openTopics } from '../avro-topics.js'
import { readerNames } from '../services.js'
import { closeAll, openServiceStore } from '../stores.js'
import { referenceOf } from './converge-invariants.js'
import { readEvidence } from './evidence.js'
import { readJournal, readReference } from './kept.js'
import { formatVerdicts, verify } from './verify.js'

export interface VerifyOptions {
  readonly 'data-dir': string
  readonly db?: string | undefined
  /** Where the registry is, when topics are Avro. */
  readonly schemas?: string | undefined
  readonly journal?: string | undefined
  readonly reference?: string | undefined
  /** Where to write what this run ended with, as the reference of others. */
  readonly save?: string | undefined
  readonly running: boolean
}

/** Looks at databases and topics. Returns what it found, as text, and whether all that can be seen holds. */
export async function verifyPipeline(
  messaging: Messaging,
  { db, schemas, journal, reference, save, running, 'data-dir': dataDir }: VerifyOptions,
): Promise<{ readonly text: string; readonly holds: boolean }> {
  const files = readerNames.filter((name) => existsSync(join(dataDir, `${name}.db`)))
  if (db === undefined && files.length === 0)
    throw new Error(`expected databases in ${dataDir}, or --db url; there is none`)
  const names = db === undefined ? files : readerNames.slice(0, 1)
  const stores = await Promise.all(names.map((name) => openServiceStore(dataDir, name, db)))
  try {
    const written = {
      journal: journal === undefined ? null : await readJournal(journal),
      reference: reference === undefined ? null : await readReference(reference),
    }
    const evidence = await readEvidence(messaging, stores, written, await openTopics(schemas))
    if (save !== undefined) await writeFile(save, `${JSON.stringify(referenceOf(evidence), null, 1)}\n`)
    const verdicts = verify(evidence, running ? 'running' : 'at rest')
    return { text: formatVerdicts(verdicts), holds: verdicts.every(({ state }) => state !== 'broken') }
  } finally {
    await closeAll(stores)
  }
}
