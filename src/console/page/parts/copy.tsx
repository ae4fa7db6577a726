import { useState } from 'preact/hooks'

/** A command for a terminal. It is shown, so that it can be taken where a page may not write to the clipboard. */
export function Command({ text }: { readonly text: string }) {
  const [isCopied, setCopied] = useState(false)
  const copy = () => {
    navigator.clipboard?.writeText(text).then(
      () => setCopied(true),
      () => undefined,
    )
  }
  return (
    <span class="command">
      <code>{text}</code>{' '}
      <button type="button" onClick={copy}>
        {isCopied ? 'Copied' : 'Copy'}
      </button>
    </span>
  )
}
