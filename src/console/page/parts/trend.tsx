import { sparkline } from '../../../pictures/sparkline.js'
import { variables } from '../../../pictures/theme.js'
import { countOf } from '../text.js'

const width = 72

/** How lag went over the last looks: drawn, by a sign, and in words for who sees neither. */
export function Trend({ values }: { readonly values: readonly number[] }) {
  const [first, last] = [values[0], values.at(-1)]
  if (first === undefined || last === undefined || values.length < 2) return <span class="soft">–</span>
  const [sign, word] = last > first ? ['↑', 'rose'] : last < first ? ['↓', 'fell'] : ['→', 'stayed']
  const sentence = `${word}, from ${countOf(first)} to ${countOf(last)} records over ${values.length} looks`
  const points = values.map((value, at) => [at, value] as const)
  const picture = sparkline({ sentence, points, from: 0, to: values.length - 1, tone: 'ours' }, variables, width)
  return (
    <span class="trend">
      <span dangerouslySetInnerHTML={{ __html: picture }} /> <span aria-hidden="true">{sign}</span>
    </span>
  )
}
