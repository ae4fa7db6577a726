import { useEffect, useRef, useState } from 'preact/hooks'
import { change } from '../route.js'

const quietMs = 200

/** Part of a name; kept in the address, a moment after the last key. */
export function Filter({ what, value }: { readonly what: string; readonly value: string }) {
  const [typed, setTyped] = useState(value)
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  // The address is what counts, unless somebody types: a link to the same view makes it another one.
  useEffect(() => {
    if (timer.current === undefined) setTyped(value)
  }, [value])
  useEffect(() => () => clearTimeout(timer.current), [])
  const type = (text: string) => {
    setTyped(text)
    clearTimeout(timer.current)
    timer.current = setTimeout(() => {
      timer.current = undefined
      change({ filter: text, most: null })
    }, quietMs)
  }
  return (
    <label class="field">
      {what}
      <input
        type="search"
        data-filter
        value={typed}
        maxLength={249}
        onInput={({ currentTarget }) => type(currentTarget.value)}
      />
    </label>
  )
}

/** The rest of a long list. */
export function More({
  shown,
  matching,
  what,
}: {
  readonly shown: number
  readonly matching: number
  readonly what: string
}) {
  if (shown >= matching) return null
  const next = Math.min(1_000, Math.max(shown * 4, 60))
  return (
    <p class="soft">
      {shown} of {matching.toLocaleString('en-US')} {what}, the worst first.{' '}
      {shown >= 1_000 ? (
        'A filter shows others.'
      ) : (
        <button type="button" onClick={() => change({ most: String(next) })}>
          Show {Math.min(next, matching).toLocaleString('en-US')}
        </button>
      )}
    </p>
  )
}
