/**
 * The one owner of the text that is committed beside an offset. Its form is `td1` and then, for each section,
 * `;name:length:text`, so a section may hold any character. Whatever does not have this form was written by someone else
 * and reads as empty.
 */
const version = 'td1'

/** Kafka's default limit (`offset.metadata.max.bytes`) is 4,096; staying below leaves room for brokers that count more. */
export const commitMetadataMaxBytes = 3072

/** Something to keep beside the committed offset, as large as there is room for. */
export interface MetadataSection {
  /** Lower-case letters. */
  readonly name: string
  /** Without this other one, which comes before it, it says nothing. */
  readonly needs?: string | undefined
  /** The text in at most `maxBytes` bytes, its least important part left out where needed; `null` when nothing fits. */
  fit(maxBytes: number): string | null
}

/** @param sections the most important first: what no longer fits is cut or left out from the end. */
export function encodeCommitMetadata(sections: readonly MetadataSection[], maxBytes = commitMetadataMaxBytes): string {
  let text = ''
  const written = new Set<string>()
  for (const section of sections) {
    if (section.needs !== undefined && !written.has(section.needs)) continue
    const room = maxBytes - version.length - Buffer.byteLength(text) - section.name.length - lengthDigits - 3
    const content = room > 0 ? section.fit(room) : null
    if (content === null || content === '' || Buffer.byteLength(content) > room) continue
    text += `;${section.name}:${content.length}:${content}`
    written.add(section.name)
  }
  return text === '' ? '' : version + text
}

const lengthDigits = 4

/** Sections by name. Text that is foreign, of another version or damaged gives none; never throws. */
export function parseCommitMetadata(text: string | null): ReadonlyMap<string, string> {
  const sections = new Map<string, string>()
  if (text === null || !text.startsWith(`${version};`)) return sections
  const header = /;([a-z]+):(\d{1,4}):/y
  let at = version.length
  while (at < text.length) {
    header.lastIndex = at
    const match = header.exec(text)
    if (match === null) return noSections
    const from = header.lastIndex
    at = from + Number(match[2])
    if (at > text.length) return noSections
    sections.set(match[1] as string, text.slice(from, at))
  }
  return sections
}

const noSections: ReadonlyMap<string, string> = new Map()
