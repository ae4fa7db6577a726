import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot } from './source-tree.js'

const read = (path: string): string => readFileSync(join(projectRoot, 'ops', path), 'utf8')

/** The alert rules as they are shipped. */
export const alertRules = (): string => read('prometheus/rules.yml')

/** Names that the JMX exporter gives to metrics of brokers, as it writes them: in small letters. */
export function brokerMetrics(): string[] {
  const names = [...read('prometheus/jmx-exporter.yml').matchAll(/pattern: (.*)\n\s+name: (\S+)/g)]
  return names.flatMap(([, pattern = '', name = '']) => {
    const [, choices] = /name=\(([^)]+)\)/.exec(pattern) ?? []
    return choices === undefined ? [name] : choices.split('|').map((choice) => name.replace('$1', choice.toLowerCase()))
  })
}

/** Every query of the dashboard, by panel. */
export function dashboardQueries(): { readonly panel: string; readonly query: string }[] {
  const { panels } = JSON.parse(read('grafana/tidemark.json')) as {
    panels: { title: string; targets?: { expr: string }[] }[]
  }
  return panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ panel: title, query: expr })))
}
