import { join } from 'node:path'
import { cacheRoot, copyDependencies, installOnce } from './installations.js'
import { java, withTool, type JavaInstallation } from './java.js'

const version = '1.12.0'

/** One record for Java to read. */
export interface AvroRecord {
  /** Behind Confluent's prefix. */
  readonly bytes: Buffer
  /** Id of the schema that Java reads it by. */
  readonly reader: number
}

/** What Java made of it. */
export type AvroAnswer =
  | {
      readonly kind: 'read'
      /** As `AvroTool` shows it. */
      readonly shown: unknown
      /** The value as Java writes it by the writer's schema. */
      readonly written: Buffer
      /** The same with arrays and maps in blocks that name their size. */
      readonly inBlocks: Buffer
    }
  | { readonly kind: 'failed'; readonly why: string }

/** Apache's Avro for Java reads each record and writes it again. Its jars come from Maven Central on first use. */
export async function javaAvro(
  schemas: ReadonlyMap<number, string>,
  records: readonly AvroRecord[],
): Promise<readonly AvroAnswer[]> {
  const folder = join(cacheRoot(), 'avro', version)
  await installOnce(folder, (staging) => copyDependencies(staging, [`org.apache.avro:avro:${version}`]))
  const flags = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
  const jars: JavaInstallation = { folder, classpath: join(folder, 'lib', '*'), quickStartFlags: flags }
  const lines = [...schemas].map(([id, text]) => `schema\t${id}\t${text}`)
  for (const { bytes, reader } of records) lines.push(`record\t${bytes.toString('base64')}\t${reader}`)
  const output = await java(await withTool(jars, 'AvroTool'), 'AvroTool', [], { input: `${lines.join('\n')}\n` })
  return output.trim().split('\n').map(answerOf)
}

function answerOf(line: string): AvroAnswer {
  const [kind = '', first = '', second = '', third = ''] = line.split('\t')
  if (kind !== 'value') return { kind: 'failed', why: first }
  const [written, inBlocks] = [Buffer.from(second, 'base64'), Buffer.from(third, 'base64')]
  return { kind: 'read', shown: JSON.parse(first) as unknown, written, inBlocks }
}
