import { useEffect, useRef, useState } from 'preact/hooks'

interface Parts {
  /** As markup in which all text is escaped. */
  readonly draw: (width: number) => string
  /** What is kept free for it before its width is known. */
  readonly height: number
}

/** A picture as wide as there is room. */
export function Drawn({ draw, height }: Parts) {
  const place = useRef<HTMLDivElement>(null)
  const [width, setWidth] = useState(0)
  useEffect(() => {
    const { current } = place
    if (current === null) return undefined
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry?.contentRect.width ?? 0)))
    observer.observe(current)
    return () => observer.disconnect()
  }, [])
  return (
    <div ref={place} class="drawn" style={{ minHeight: `${height}px` }}>
      {width === 0 ? null : <div dangerouslySetInnerHTML={{ __html: draw(width) }} />}
    </div>
  )
}
