import { useEffect } from 'preact/hooks'
import { printable } from '../../../text/printable.js'
import type { Level } from '../../model/verdict.js'
import { signOf } from './sign.js'

/** What is looked at; in the tab with the sign of its verdict. */
export function Title({ text, level }: { readonly text: string; readonly level?: Level | undefined }) {
  useEffect(() => {
    document.title = `${level === undefined ? '' : `${signOf(level)} `}${printable(text)} · tidemark`
  }, [text, level])
  return <h1 tabIndex={-1}>{text}</h1>
}
