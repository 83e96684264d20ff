;; SBCL's threads: each collects garbage, for which all others are stopped by signal.
(defvar *count* 0)
(defvar *lock* (sb-thread:make-mutex))

(defun work ()
  (dotimes (turn 2000) (make-list 200))
  (sleep 0.02)
  (sb-thread:with-mutex (*lock*) (incf *count*))
  (sb-ext:gc)
  1)

(let ((threads (loop repeat 20 collect (sb-thread:make-thread #'work))))
  (print (reduce #'+ (mapcar #'sb-thread:join-thread threads)))
  (print *count*)
  (terpri))
