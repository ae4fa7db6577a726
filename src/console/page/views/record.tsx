import { useState } from 'preact/hooks'
import { bytesText, type ShownBytes } from '../../../text/shown-bytes.js'
import { sizeText } from '../../../text/figures.js'
import type { RecordView } from '../../letters/record-look.js'
import type { About } from '../../server/app.js'
import { hasToken, problemFrom, useAsked, write, type Problem } from '../ask.js'
import { Fact } from '../parts/fact.js'
import { Moment, Nothing, Trouble, Waiting } from '../parts/said.js'
import { Title } from '../parts/title.js'
import { Token } from '../parts/token.js'
import { countOf } from '../text.js'

interface Parts {
  readonly topic: string
  readonly partition: string
  readonly offset: string
  readonly about: About | null
}

export function RecordPage(parts: Parts) {
  const offset = Number(parts.offset)
  return (
    <>
      <Title
        text={`${parts.topic}-${parts.partition} at ${Number.isSafeInteger(offset) ? countOf(offset) : parts.offset}`}
      />
      <RecordPart {...parts} />
    </>
  )
}

/** What a record tells of itself; what is in it only where the console may show it, and somebody wants it. */
export function RecordPart({ topic, partition, offset, about }: Parts) {
  const { value, problem } = useAsked<RecordView>('api/record', { topic, partition, offset })
  const [revealed, setRevealed] = useState<RecordView | null>(null)
  const [refusal, setRefusal] = useState<Problem | null>(null)
  if (value === null) return problem === null ? <Waiting what="Reading the record" /> : <Trouble problem={problem} />
  const reveal = () => {
    const where = { topic, partition: Number(partition), offset: Number(offset) }
    write<RecordView>('api/record', where).then(setRevealed, (error: unknown) => setRefusal(problemFrom(error)))
  }
  const { timestamp, keyBytes, valueBytes, headers } = revealed ?? value
  return (
    <>
      <dl class="facts">
        <Fact name={isOfOrigin(revealed ?? value) ? 'Origin written' : 'Written'}>
          <Moment at={timestamp} />
        </Fact>
        <Fact name="Key">{sizeOf(keyBytes)}</Fact>
        <Fact name="Value">{sizeOf(valueBytes)}</Fact>
      </dl>
      {headers.length === 0 ? (
        <Nothing text="It has no headers." next="" />
      ) : (
        <dl class="headers" aria-label="Headers">
          {headers.map(({ name, value: bytes, hidden }, index) => (
            <div key={index}>
              <dt>{name}</dt>
              <dd>{hidden ? <span class="soft">hidden</span> : <code>{bytesText(bytes)}</code>}</dd>
            </div>
          ))}
        </dl>
      )}
      {revealed?.revealed == null ? (
        <Hidden about={about} onReveal={reveal} refusal={refusal} />
      ) : (
        <>
          <Bytes name="Key" bytes={revealed.revealed.key} />
          <Bytes name="Value" bytes={revealed.revealed.value} />
          {revealed.revealed.isCut ? <p class="soft">Cut after 64 KiB.</p> : null}
        </>
      )}
    </>
  )
}

/** What came by a dead-letter or delay topic tells the time of its origin. */
function isOfOrigin({ timestamp, headers }: RecordView): boolean {
  return headers.some(({ name, value }) => name === 'td-origin-timestamp' && Date.parse(bytesText(value)) === timestamp)
}

function sizeOf(bytes: number | null): string {
  return bytes === null ? 'none' : sizeText(bytes)
}

interface HiddenParts {
  readonly about: About | null
  readonly onReveal: () => void
  readonly refusal: Problem | null
}

function Hidden({ about, onReveal, refusal }: HiddenParts) {
  const [, setTokens] = useState(0)
  if (about?.allowPayloads !== true) {
    return (
      <p class="soft">Key and value are hidden. To show them one at a time, start the console with --allow-payloads.</p>
    )
  }
  if (!hasToken()) return <Token onToken={() => setTokens((before) => before + 1)} />
  return (
    <>
      <p>
        <span class="soft">Key and value are hidden.</span>{' '}
        <button type="button" onClick={onReveal}>
          Reveal them
        </button>{' '}
        <span class="soft">The console notes that somebody did.</span>
      </p>
      <Trouble problem={refusal} />
    </>
  )
}

function Bytes({ name, bytes }: { readonly name: string; readonly bytes: ShownBytes }) {
  return (
    <section aria-label={name}>
      <h3>{name}</h3>
      <pre tabIndex={0}>{bytesText(bytes)}</pre>
    </section>
  )
}
