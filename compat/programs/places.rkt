#lang racket/base
;; Racket CS: places and futures are kernel threads with Chez Scheme's collector, which all of them stop for; threads are Racket's own.
(require racket/place racket/future)
(provide main)

(define (count-up limit)
  (let loop ([n 0] [total 0])
    (if (= n limit) total (loop (add1 n) (+ total n)))))

(define (main)
  (define places
    (for/list ([number 4])
      (place channel
        (define limit (place-channel-get channel))
        (define kept (for/list ([turn 20]) (make-vector 1000 turn)))
        (collect-garbage 'minor)
        (sleep 0.01)
        (place-channel-put channel (+ limit (length kept))))))
  (for ([each places] [number (in-naturals)]) (place-channel-put each (* number 100)))
  (displayln (for/sum ([each places]) (place-channel-get each)))
  (for-each place-wait places)
  (define futures (for/list ([number 8]) (future (lambda () (count-up (* 100000 (add1 number)))))))
  (displayln (for/sum ([each futures]) (touch each)))
  (define results (make-channel))
  (for ([number 50]) (thread (lambda () (sleep 0.005) (channel-put results number))))
  (displayln (for/sum ([number 50]) (channel-get results))))

(module+ main (main))
