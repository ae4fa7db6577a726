import { GCProfiler } from 'node:v8'

/** Counts what is allocated from now on: by how much memory grew between one collection and the next. */
export function watchGarbage(): { allocated(): number } {
  const profiler = new GCProfiler()
  profiler.start()
  const { heapUsed, external } = process.memoryUsage()
  return {
    allocated() {
      const { statistics } = profiler.stop()
      const now = process.memoryUsage()
      let objects = 0
      let buffers = 0
      let [heapAt, externalAt] = [heapUsed, external]
      for (const { beforeGC, afterGC } of statistics) {
        objects += beforeGC.heapStatistics.usedHeapSize - heapAt
        buffers += Math.max(0, beforeGC.heapStatistics.externalMemory - externalAt)
        heapAt = afterGC.heapStatistics.usedHeapSize
        externalAt = afterGC.heapStatistics.externalMemory
      }
      return objects + now.heapUsed - heapAt + buffers + Math.max(0, now.external - externalAt)
    },
  }
}
