export { pattern, type PatternDefinition, type PatternTopic, type TopicPattern } from './topic/topic-pattern.js'
