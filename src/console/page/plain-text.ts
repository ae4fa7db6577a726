import { options, type VNode } from 'preact'
import { printable, printableLines } from '../../text/printable.js'

/** Attributes that are read by people. */
const spoken: readonly string[] = ['aria-label', 'title', 'alt', 'placeholder']

/**
 * Names, headers and errors are data from outside: what is not seen, or turns the direction of writing, is shown as an
 * escape wherever it stands, so that no part of the page has to think of it. Markup is text to begin with.
 */
export function showAsText(): void {
  const before = options.vnode
  options.vnode = (vnode) => {
    if (typeof vnode.type === 'string') escape(vnode as VNode<Record<string, unknown>>)
    before?.(vnode)
  }
}

function escape({ type, props }: VNode<Record<string, unknown>>): void {
  const { children } = props
  const escaped = type === 'pre' ? printableLines : printable
  if (typeof children === 'string') props['children'] = escaped(children)
  else if (Array.isArray(children)) {
    props['children'] = children.map((child: unknown) => (typeof child === 'string' ? escaped(child) : child))
  }
  for (const name of spoken) {
    const value = props[name]
    if (typeof value === 'string') props[name] = printable(value)
  }
}
