import { Registry } from 'prom-client'
import { lagMonitor } from 'tidemark/lag'
import { prometheusMetrics } from 'tidemark/prometheus'
import { expect, it } from 'vitest'
import { numbered, open, put, simulated } from '../consumer/simulated.js'

it('a lag monitor that is closed tells nothing more, not by a look that was under way either, so no alert stays', () =>
  simulated(async (simulation) => {
    simulation.cluster.createTopic('t')
    put(simulation.cluster, numbered('x', 9))
    const registry = new Registry()
    const messaging = open(simulation.process('watching'), { metrics: prometheusMetrics({ registry }) })
    const watching = (group: string) => lagMonitor(messaging, { groups: [{ group, topics: ['t'] }] })
    const groupsToldOf = async () => {
      const text = await registry.metrics()
      return [...new Set([...text.matchAll(/^tidemark_group_.*watched_group="(\w+)"/gm)].map(([, group]) => group))]
    }
    const [former, late, next] = [watching('former'), watching('late'), watching('next')]
    await former.look()
    await next.look()
    const underWay = late.look()
    expect((await groupsToldOf()).sort()).toEqual(['former', 'late', 'next'])
    former.close()
    former.close()
    late.close()
    expect(await underWay).toMatchObject([{ group: 'late', lag: 10 }])
    expect(await groupsToldOf()).toEqual(['next'])
    await expect(former.look()).rejects.toMatchObject({ code: 'closed' })
    await messaging.close()
  }))

it('a look that ends after its monitor was closed calls no listener', () =>
  simulated(async (simulation) => {
    simulation.cluster.createTopic('t')
    put(simulation.cluster, numbered('x', 9))
    const messaging = open(simulation.process('watching'))
    const told: string[] = []
    const onLag = (_: unknown, state: string) => void told.push(state)
    const monitor = lagMonitor(messaging, { groups: [{ group: 'g', topics: ['t'] }], threshold: 5, onLag })
    const underWay = monitor.look()
    monitor.close()
    await underWay
    expect(told).toEqual([])
    await messaging.close()
  }))
