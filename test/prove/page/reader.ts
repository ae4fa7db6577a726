/** Runs in the page: a line that is moved by the pointer or by the arrow keys, and what stood there, in words. */
export const readerScript = `
(() => {
  const data = JSON.parse(document.getElementById('data').textContent)
  const [slider, line, said, time] = ['moment', 'line', 'said', 'time'].map((id) => document.getElementById(id))
  const figure = (count) => (count === null ? 'unknown' : count.toLocaleString('en-US'))
  const length = (data.load.records / data.load.perSecond) * 1000
  const show = () => {
    const at = Number(slider.value)
    const sample = Math.min(data.clients[0].every500ms.lost.length - 1, Math.floor(at / 500))
    const fault = data.faults.find(({ fromMs, toMs }) => at >= fromMs && at < toMs)
    line.hidden = false
    line.style.left = (at / length) * 100 + '%'
    said.textContent = [
      (at / 1000).toFixed(1) + ' s, ' + (fault ? fault.target : 'no fault'),
      ...data.clients.map(({ name, every500ms: { acknowledged, lost, doubled, lag } }) =>
        name + ': ' + figure(acknowledged[sample] * 2) + '/s acknowledged, ' + figure(lost[sample]) + ' lost, ' +
        figure(doubled[sample]) + ' doubled, ' + figure(lag[sample]) + ' not yet handled'),
    ].join(' · ')
  }
  slider.max = String(length)
  document.getElementById('reader').hidden = false
  slider.addEventListener('input', show)
  time.addEventListener('pointermove', (event) => {
    const { left, width } = time.getBoundingClientRect()
    slider.value = String(((event.clientX - left) / width) * length)
    show()
  })
})()
`
