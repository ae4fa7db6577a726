import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { java } from './java.js'
import type { KafkaInstallation } from './kafka-jars.js'

/** What DumpLogSegments prints about one partition's log on one node: batches with CRC check, and records when `deep`. */
export async function dumpLog(
  installation: KafkaInstallation,
  dataFolder: string,
  topic: string,
  partition: number,
  { deep = true }: { deep?: boolean } = {},
): Promise<string> {
  const folder = join(dataFolder, `${topic}-${partition}`)
  const segments = (await readdir(folder)).filter((file) => file.endsWith('.log')).sort()
  const files = segments.map((file) => join(folder, file)).join(',')
  const args = ['--files', files, ...(deep ? ['--print-data-log'] : [])]
  return java(installation, 'kafka.tools.DumpLogSegments', args)
}
