import { useEffect, useRef, useState } from 'preact/hooks'

const everyMs = 10_000

/** Tells a screen reader that the sentence has changed, at most every ten seconds; figures in it are no change. */
export function Announcement({ sentence }: { readonly sentence: string }) {
  const [told, setTold] = useState('')
  const last = useRef({ at: -everyMs, kind: '' })
  const kind = sentence.replace(/[\d.,]+/g, '#')
  useEffect(() => {
    if (kind === last.current.kind || sentence === '') return undefined
    const tell = () => {
      last.current = { at: performance.now(), kind }
      setTold(sentence)
    }
    const timer = setTimeout(tell, Math.max(0, last.current.at + everyMs - performance.now()))
    return () => clearTimeout(timer)
  }, [kind])
  return (
    <p class="unseen" aria-live="polite" role="status">
      {told}
    </p>
  )
}
