;; Chez Scheme's threads: kernel threads that meet for each collection; mutexes and conditions.
(define lock (make-mutex))
(define done (make-condition))
(define running 20)
(define total 0)

(define (work number)
  (let loop ([turn 0] [kept '()])
    (when (< turn 20000)
      (loop (+ turn 1) (if (= 0 (mod turn 100)) '() (cons (make-vector 10 turn) kept)))))
  (sleep (make-time 'time-duration 5000000 0))
  (with-mutex lock
    (set! total (+ total number))
    (set! running (- running 1))
    (condition-signal done)))

(do ([number 0 (+ number 1)]) ((= number 20))
  (fork-thread (lambda () (work number))))
(with-mutex lock
  (let wait () (unless (= running 0) (condition-wait done lock) (wait))))
(display total)
(newline)
