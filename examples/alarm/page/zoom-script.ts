/** Runs in the page. A zoom is another `viewBox` of the inner picture; words are put where their second is then. */
export const zoomScript = `
for (const figure of document.querySelectorAll('.series')) {
  const outer = figure.querySelector('svg'), plot = figure.querySelector('.plot'), axis = figure.querySelector('.axis')
  const [, , all, height] = plot.getAttribute('viewBox').split(' ').map(Number)
  const width = Number(outer.getAttribute('width')), first = Number(axis.dataset.first)
  const whole = axis.innerHTML
  const styled = axis.querySelector('text')
  let from = 0, span = all
  const show = (start, length) => {
    span = Math.min(all, Math.max(600, length))
    from = Math.min(all - span, Math.max(0, start))
    plot.setAttribute('viewBox', [from, 0, span, height].join(' '))
    for (const word of figure.querySelectorAll('[data-at]')) {
      const x = ((word.dataset.at - from) / span) * width
      word.setAttribute('x', x + 3)
      word.style.display = x < 0 || x > width - 40 ? 'none' : ''
    }
    if (span === all) { axis.innerHTML = whole; return }
    const ticks = []
    for (let part = 0; part < 6 && styled; part++) {
      const tick = styled.cloneNode(true), x = (part / 5) * width
      tick.setAttribute('x', x)
      tick.setAttribute('text-anchor', part === 0 ? 'start' : part === 5 ? 'end' : 'middle')
      tick.textContent = new Date((first + from + (part / 5) * span) * 1000).toISOString().slice(0, 16).replace('T', ' ')
      ticks.push(tick)
    }
    axis.replaceChildren(...ticks)
  }
  const second = (event) => {
    const box = outer.getBoundingClientRect()
    return from + Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * span
  }
  let start = null
  figure.addEventListener('pointerdown', (event) => { start = second(event); figure.setPointerCapture(event.pointerId) })
  figure.addEventListener('pointerup', (event) => {
    if (start === null) return
    const end = second(event), least = Math.min(start, end), length = Math.abs(end - start)
    start = null
    if (length > span / 100) show(least, length)
  })
  figure.addEventListener('dblclick', () => show(0, all))
  figure.addEventListener('keydown', ({ key }) => {
    const middle = from + span / 2
    if (key === '+') show(middle - span / 4, span / 2)
    else if (key === '-') show(middle - span, span * 2)
    else if (key === 'ArrowLeft') show(from - span / 4, span)
    else if (key === 'ArrowRight') show(from + span / 4, span)
    else if (key === 'Escape') show(0, all)
  })
}`
