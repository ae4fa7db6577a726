import { join } from 'node:path'
import { cacheRoot, copyArtifact, installOnce } from './installations.js'
import { projectRoot } from './source-tree.js'

const version = '1.0.1'

/** JVM flag of a broker that tells Prometheus its metrics at that port, by the file that is shipped. */
export async function jmxExporter(): Promise<(port: number) => string> {
  const folder = join(cacheRoot(), 'jmx-exporter', version)
  await installOnce(folder, (staging) => copyArtifact(staging, `io.prometheus.jmx:jmx_prometheus_javaagent:${version}`))
  const jar = join(folder, `jmx_prometheus_javaagent-${version}.jar`)
  const rules = join(projectRoot, 'ops', 'prometheus', 'jmx-exporter.yml')
  return (port) => `-javaagent:${jar}=127.0.0.1:${port}:${rules}`
}
