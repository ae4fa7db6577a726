/** Beside its figure, so only who sees it needs it. */
export function Bar({ value, most }: { readonly value: number; readonly most: number }) {
  const width = most <= 0 || value <= 0 ? 0 : Math.max(1, (value / most) * 60)
  return (
    <svg class="bar" width="60" height="12" viewBox="0 0 60 12" aria-hidden="true">
      <rect class="lane" x="0" y="5" width="60" height="2" />
      <rect class="value" x="0" y="1" width={width} height="10" rx="1" />
    </svg>
  )
}
