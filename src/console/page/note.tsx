import { useEffect } from 'preact/hooks'

/** What is told for a moment; said twice it is another one. */
export interface Noted {
  readonly text: string
}

const forMs = 5_000

/** What became of a key. The place of it is always there, else screen readers would not tell its first text. */
export function Note({ noted, onEnd }: { readonly noted: Noted | null; readonly onEnd: () => void }) {
  useEffect(() => {
    if (noted === null) return undefined
    const timer = setTimeout(onEnd, forMs)
    return () => clearTimeout(timer)
  }, [noted])
  return (
    <p class={noted === null ? 'unseen' : 'note'} role="status" aria-live="polite" data-note>
      {noted?.text}
    </p>
  )
}
