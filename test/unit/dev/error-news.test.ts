import { beforeEach, describe, expect, it } from 'vitest';
import { ErrorNews } from '../../../src/bin/processes/error-news.ts';

const FILES = ['/src/entry.ts', '/src/lib/helper.ts'];
let news: ErrorNews;
beforeEach(() => {
  news = new ErrorNews();
});

describe('the error of a function that is being written', () => {
  it('is told once, whatever changes beside it: the file that it is told to, for one', () => {
    expect(news.isNews('broken', ['entry.ts'], FILES)).toBe(true);
    expect(news.isNews('broken', ['dev.log'], FILES)).toBe(false);
    expect(news.isNews('broken', ['dev.log'], FILES)).toBe(false);
  });

  it('is told again after an edit that did not help', () => {
    news.isNews('broken', ['entry.ts'], FILES);
    expect(news.isNews('broken', ['helper.ts', 'dev.log'], FILES)).toBe(true);
  });

  it('is told when it is another one, or back', () => {
    news.isNews('broken', ['entry.ts'], FILES);
    expect(news.isNews('not found', ['later.ts'], FILES)).toBe(true);
    expect(news.isNews('broken', ['later.ts'], FILES)).toBe(true);
    news.onSuccess();
    expect(news.isNews('broken', ['later.ts'], FILES)).toBe(true);
  });
});
